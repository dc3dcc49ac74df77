"""The words of the web page, in English and Chinese."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "zh"]
LANGUAGES: dict[str, Language] = {"English": "en", "中文": "zh"}

WORDS: dict[str, tuple[str, str]] = {
    "about": (
        "Give what you know and leave out the rest.",
        "填写已知的内容，其余可以留空。",
    ),
    "inputs": ("Inputs", "输入"),
    "answer": ("Answer", "回答"),
    "ask": ("Answer", "回答"),
    "clear": ("Clear", "清空"),
    "leave_out": ("Leave it out", "不使用此项"),
    "language": ("Language", "语言"),
    "image": ("picture", "图片"),
    "audio": ("sound", "声音"),
    "video": ("video", "视频"),
    "gallery": ("pictures", "多张图片"),
    "points": ("point cloud", "点云"),
    "series": ("series", "序列"),
    "vector": ("vector", "向量"),
    "text": ("text", "文本"),
    "passages": ("texts, one a line", "多段文本，每行一段"),
    "tags": ("labels", "标签"),
    "category": ("choice", "选项"),
    "number": ("number", "数字"),
    "timestamp": ("date or time", "日期或时间"),
    "geo": ("latitude, longitude", "纬度，经度"),
    "usual": ("usual: {low} to {high}", "通常：{low} 至 {high}"),
    "mattered": ("Which input mattered", "哪个输入起了作用"),
    "mattered_about": (
        "How much less likely “{answer}” becomes when one input is left out.",
        "去掉某一输入后，“{answer}”的概率下降了多少。",
    ),
    "mattered_number": (
        "How the value {answer} changes when one input is left out.",
        "去掉某一输入后，数值 {answer} 如何变化。",
    ),
    "by_points": ("{change:+.1f} points", "{change:+.1f} 个百分点"),
    "instead": ("without it: {answer}", "去掉后：{answer}"),
    "only_one": (
        "Only one input was given: without it there is nothing to go by.",
        "只给了一个输入：去掉它就没有依据了。",
    ),
    "nothing_yet": ("The answer appears here.", "回答将显示在这里。"),
    "left_out": ("Left out: {names}", "未使用：{names}"),
    "wrong": ("No answer", "无法回答"),
    "unusable": (
        "“{field}” cannot be used: {came}. Give another one, or leave it out.",
        "“{field}”无法使用：{came}。请换一个，或不使用此项。",
    ),
    "empty": ("Give at least one input.", "请至少填写一项。"),
    "busy": ("The server is busy. Please try again.", "服务器繁忙，请稍后再试。"),
    "too_large": ("The file is too large.", "文件太大。"),
    "search": ("Search", "搜索"),
    "not_found": ("No search", "无法搜索"),
    "no_search_yet": ("What is found appears here.", "搜索结果将显示在这里。"),
    "empty_search": ("Give at least one input, or words.", "请至少填写一项，或输入词语。"),
    "words": ("words", "词语"),
    "words_about": ("to be found in the texts as they are", "在文本中按原词查找"),
    "where": ("only rows where", "只看满足条件的行"),
    "where_about": (
        "price < 10 AND kind = 'cat' · columns: {fields}",
        "例如 price < 10 AND kind = 'cat' · 可用的列：{fields}",
    ),
    "how_many": ("how many", "数量"),
    "found": ("{count} rows, {milliseconds} ms.", "{count} 行，{milliseconds} 毫秒。"),
    "none_found": ("No row passes.", "没有符合条件的行。"),
    "by_likeness": ("The score is the likeness, from -1 to 1.", "分数为相似度，-1 到 1。"),
    "by_words": ("The score is how well the words match.", "分数为词语的匹配程度。"),
    "by_both": (
        "The score joins the ranks by likeness and by words.",
        "分数综合了相似度和词语两种排名。",
    ),
    "more_columns": ("more columns", "其他列"),
    "cannot_search": ("This cannot be searched: {reason}", "无法这样搜索：{reason}"),
    "only_compares": (
        "This model compares rows; it answers no questions. Programs get vectors at /v1/embed. "
        "Start the server with --index, and rows can be searched here.",
        "此模型用于比较数据行，不回答问题。程序可通过 /v1/embed 获取向量；"
        "启动服务时加上 --index，即可在此搜索。",
    ),
    "mattered_text": (
        "What the answer becomes when one input is left out.",
        "去掉某一输入后，回答变成什么。",
    ),
    "unchanged": ("the same answer", "回答不变"),
    "changed": ("another answer", "回答改变"),
    "sure": ("How likely the model holds it to be", "模型认为其可能性"),
    "login": (
        "Any name, and your API key as the password.",
        "用户名任意，密码为您的 API 密钥。",
    ),
}


def word(key: str, language: Language, **values: object) -> str:
    """A word or sentence in a language.

    >>> word("left_out", "en", names="photo")
    'Left out: photo'
    """
    return WORDS[key][language == "zh"].format(**values)
