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
