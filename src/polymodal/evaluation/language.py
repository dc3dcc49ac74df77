"""All words that reports, tables and charts say to people, in English and in Chinese."""

import math
from typing import Literal

Language = Literal["en", "zh"]

ENGLISH: dict[str, str] = {
    # tables of scores
    "scores_title": "Scores on {rows} rows",
    "target": "Target",
    "metric": "Metric",
    "value": "Value",
    "interval": "95% interval",
    "meaning": "What it says",
    # models to compare with
    "name_fused": "this model",
    "name_most_frequent": "most frequent answer",
    "name_nearest_neighbour": "nearest neighbour",
    "name_mean": "mean",
    "name_boosted_trees": "boosted trees",
    "name_boosted_trees_tabular": "boosted trees on numbers, categories and tags",
    "name_probe": "linear probe",
    "name_only": "only {columns}",
    # verdict
    "verdict_better": "Better than the best other way, “{name}”: {metric} {fused} against "
    "{other}, better by {difference} (95% interval {low} … {high}).",
    "verdict_same": "No better than “{name}”: {metric} {fused} against {other}; the difference of "
    "{difference} (95% interval {low} … {high}) is within noise. “{name}” would do.",
    "verdict_worse": "Worse than “{name}”: {metric} {fused} against {other}, worse by "
    "{difference} (95% interval {low} … {high}). Use “{name}” instead.",
    "verdict_unknown": "Whether this model is better than another cannot be said: {metric} is not "
    "defined on these rows, or there is nothing to compare with.",
    "verdict_better_short": "worth it",
    "verdict_same_short": "no clear gain",
    "verdict_worse_short": "not worth it",
    "verdict_unknown_short": "not comparable",
    "help_yes": "“{column}” helps: without it {metric} falls from {full} to {without}.",
    "help_unclear": "“{column}” makes no clear difference: {metric} {full} with it, {without} "
    "without it.",
    "help_no": "“{column}” hurts: {metric} is {without} without it and {full} with it.",
    # report: its frame
    "skip": "Skip to the content",
    "theme": "Light or dark",
    "contents": "Contents",
    "report_by": "Evaluation report by polymodal",
    "rows_of": "{part} rows",
    "part_train": "training",
    "part_validation": "validation",
    "part_test": "test",
    # report: summary
    "summary": "Summary",
    "on_test": "on {rows} test rows",
    "against": "Against other ways",
    "against_note": "Bars show {metric}; the thin line is the 95% interval. The dashed line marks "
    "this model.",
    "all_scores": "All scores",
    # report: what inputs are worth
    "modalities": "What each input is worth",
    "modalities_note": "The same trained model with inputs hidden from it; bars show {metric}.",
    "all_inputs": "all inputs",
    "no_input": "no input",
    # report: learning
    "learning": "Learning",
    "loss": "Loss",
    "epoch": "epoch",
    "train_loss": "training",
    "validation_loss": "validation",
    "validation_metric": "Validation score",
    "learning_note": "The dashed line marks the best epoch: {epoch}.",
    "step": "step",
    "learning_rate": "learning rate",
    "seconds": "seconds",
    "every_epoch": "Every epoch",
    "alone_note": "Beside it each input alone: the same network with all other inputs hidden.",
    "starved": "“{behind}” has fallen behind: by itself it can score {by_itself}, but inside this "
    "model only {behind_score}, while “{ahead}” scores {ahead_score}. ",
    "behind_unclear": "“{ahead}” alone scores {ahead_score}, “{behind}” {behind_score}, hardly "
    "more than guessing ({chance}): either it says little, or the other keeps it from being "
    "learned. ",
    "balance_try": "The recipe's train.balance: auto tries two remedies.",
    "balance_tried": "It was trained with train.balance: {balance}, which has not changed that.",
    # report: answers
    "answers": "Answers",
    "confusion": "Which class is taken for which",
    "confusion_note": "A row is a true class, a column an answer; the darker, the larger the "
    "share of the true class.",
    "confused": "Most confused pairs",
    "confused_note": "The {count} most frequent mistakes among {classes} classes.",
    "truth": "truth",
    "answer": "answer",
    "rows": "rows",
    "share": "share of the true class",
    "no_mistake": "There is no mistake on these rows.",
    "scatter": "Answer against truth",
    "scatter_note": "On the diagonal the answer is exact. Shown: {shown} of {rows} rows.",
    "calibration": "How far its certainty can be trusted",
    "calibration_note": "Bars on the diagonal: as often right as it is sure. Calibration error: "
    "{error}.",
    "tag_calibration_note": "Bars on the diagonal: a tag is as often there as it is probable.",
    "certainty": "certainty",
    "share_right": "share right",
    "probability": "probability",
    "share_present": "share that has the tag",
    "below_diagonal": "Below the line it is too sure of itself.",
    "per_class": "Class by class",
    "per_tag": "Tag by tag",
    "class": "Class",
    "tag": "Tag",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "support": "Rows",
    # report: examples
    "examples": "Examples",
    "references": "References",
    "looks_note": "Where the model looked for each word (up to 16 of a text): bright is looked at. "
    "It shows what was read, not why a word was chosen.",
    "heard": "When each word was heard",
    "heard_note": "The strips under a sound tell when the model listened for each word: the "
    "stronger the colour, the more attention. They show what was read, not why a word was chosen. "
    "Hatched: most of it was read elsewhere, in the recording as a whole or in other inputs. Click "
    "on a word to hear its stretch.",
    "heard_aligned": "The strips under a sound tell when each piece of the text was heard: the "
    "chance that a moment says it, all alignments counted. Hatched: it was told from the recording "
    "as a whole. Click on a piece to hear its stretch.",
    "heard_from_to": "{word}: {start} – {end} s",
    "heard_elsewhere": "{share} of it read elsewhere",
    "heard_more": "and {count} more",
    "nothing_written": "(nothing)",
    "examples_worst": "Worst mistakes",
    "examples_surest_right": "Surest right answers",
    "examples_worst_regression": "Largest errors",
    "examples_surest_right_regression": "Closest answers",
    "row": "row {row}",
    "absent": "absent",
    "too_long": "too large to be shown here ({size} MB)",
    "no_example": "None.",
    "examples_unsure": "Least sure answers",
    # report: data
    "findings": "What was found in the data",
    "no_findings": "Nothing to report.",
    "column": "Column",
    "remedy": "What to do",
    "severity_error": "error",
    "severity_warning": "warning",
    "severity_note": "note",
    "more": "and more",
    "schema": "Columns",
    "modality": "Modality",
    "role": "Role",
    "encoder": "Encoder or head",
    "present": "Present",
    "missing": "Missing",
    "distinct": "Distinct",
    "note": "Note",
    "role_input": "input",
    "role_target": "target",
    "role_ignored": "ignored",
    "role_group": "group",
    "role_split": "split",
    # report: how it was made
    "making": "How it was made",
    "model": "Model",
    "part": "Part",
    "parameters": "Parameters",
    "flops": "FLOPs per row",
    "flops_note": "Floating-point operations of one row's prediction: matrix products, "
    "convolutions, recurrence and attention, two for each multiplication with its addition. A text "
    "is written token by token, as long as the references are on average.",
    "total": "Total",
    "recipe": "Recipe",
    "recipe_note": "All options, defaults written out: train from it again to get the same "
    "numbers.",
    "command": "Command",
    "environment": "Environment",
    "time": "Time spent",
    "stage_reading the table": "reading the table",
    "stage_learning the modalities": "learning the modalities",
    "stage_decoding the cells": "decoding the cells",
    "stage_training": "training",
    "stage_measuring": "measuring",
    "stage_checking the data": "checking the data",
    "no_undefined": "– means: not defined on these rows.",
    # comparison: its tables
    "score": "score",
    "mean_over_targets": "{metric} (mean over {count} targets)",
    "standings_title": "{count} candidates on {rows} test rows",
    "standings_note": "Score: {metric}. Bold: the winner. Dim: stopped early. Training: of one "
    "seed.",
    "candidate": "Candidate",
    "without": "without {branch}",
    "training": "Training",
    "one_row": "One row",
    "epochs": "Epochs",
    "kind": "Kind",
    "kind_fusion": "fusion",
    "kind_alone": "single input",
    "kind_trees": "boosted trees",
    "trees_on_embeddings": "boosted trees on embeddings",
    # comparison: the advice
    "use": "Use {name}: {metric} {score}",
    "name_alone": "{name} alone",
    "score_and_span": "{value} ({low} … {high})",
    "better_than": ", {difference} better than {other} ({low} … {high})",
    "best_alone": "the best single input, {name}",
    "best_fusing": "the best way to fuse, {name}",
    "fusing_same": "Fusing is not shown to be worth it: the best way to fuse, {name} ({value}), is "
    "not distinguishable from it (difference {difference}, {low} … {high})",
    "fusing_worse": "Fusing is not worth it: the best way to fuse, {name} ({value}), is "
    "{difference} worse ({low} … {high})",
    "fusing_unknown": "Whether it is better than {name} ({value}) cannot be said: there are too "
    "few test rows",
    "others_same": "{name} ({value}) is not distinguishable from it (difference {difference}, "
    "{low} … {high})",
    "others_worse": "The runner-up, {name} ({value}), is {difference} worse ({low} … {high})",
    "others_better": "But on the test rows {name} ({value}) did better, by {difference} ({low} … "
    "{high}): validation and test rows disagree",
    "and": " and ",
    "comma": ", ",
    "it_saves": "{name} {savings}",
    "trains_faster": "trains {times} × faster",
    "trains_slower": "trains {times} × slower",
    "answers_faster": "answers {times} × faster",
    "answers_slower": "answers {times} × slower",
    "one_seed": "Trained only once, so how much the score varies from training to training is not "
    "known: {names}",
    "advice_unknown": "What to use cannot be said: {metric} is not defined on the test rows of "
    "{name}",
    "stop": ". ",
    "advice_better_short": "fusing is worth it",
    "advice_same_short": "no clear gain from fusing",
    "advice_worse_short": "fusing is not worth it",
    "advice_unknown_short": "what to use",
    # comparison: its page
    "comparison_by": "Comparison by polymodal",
    "comparison_rows": "{rows} test rows",
    "candidates_count": "candidates",
    "comparison_time": "spent",
    "winners_report": "Report of {name}",
    "standings": "Who stands where",
    "standings_page_note": "Sorted by the validation score, which chose the winner; scores are of "
    "the test rows, with 95% intervals over rows and seeds. Without an input: the same trained "
    "model with that input hidden.",
    "winner": "winner",
    "epochs_of": "{epochs} of {of_epochs} epochs",
    "seeds_of": "seeds: {count}",
    "validation_score": "Validation",
    "per_second": "{rows} rows/s",
    "by_target": "Target by target",
    "cost": "Score against cost",
    "cost_note": "Up is better, left is cheaper. The stepped line joins what no other candidate "
    "trained to the end beats in both; thin lines are 95% intervals. Point at a mark for its name. "
    "Texts that are predicted are written out, as long as the references are on average.",
    "cost_training": "training time of one seed, in seconds",
    "cost_prediction": "time to answer one row, in milliseconds",
    "front": "best for its cost",
    "stopped_early": "stopped early",
    "robustness": "When an input is missing",
    "robustness_note": "Score of the same trained model with all inputs, and with one hidden: the "
    "farther left a mark is, the more was lost ({metric}).",
    "race": "Who was stopped when",
    "race_note": "Validation score by epoch, first seed.",
    "rounds": "Rounds",
    "rounds_note": "All start; after each round only the best go on. Losers cost little.",
    "round": "After epoch",
    "entered": "Entered",
    "kept": "Went on",
    "dropped": "Stopped",
    "nameless": "Without its name, for lack of room: {count}.",
    "lost": "{loss} {condition}",
    "refused": "Cannot fuse these inputs",
    "why": "Why",
    # report: columns and identities compared
    "retrieval": "Any column finds any other",
    "retrieval_note": "Each cell of one column asks for those of the same row in "
    "another, by the cosine of their vectors, among all cells of the test part. "
    "Intervals are of 95%, over rows drawn again.",
    "retrieval_asks": "Asks",
    "retrieval_finds": "Finds",
    "retrieval_counts": "{queries} queries, among {answers}",
    "retrieval_chance": "by chance",
    "retrieval_gallery": "What was found",
    "retrieval_gallery_note": "Queries drawn at random, and the first answers of each. "
    "A green frame marks what is right.",
    "retrieval_rank": "right answer at rank {rank}",
    "verification": "Same or different",
    "verification_note": "Pairs of test rows, of identities that training has not "
    "seen: {same} of the same identity, {different} of different ones. “Same” is said "
    "from a cosine of {threshold} on, which was chosen on the validation part. Intervals "
    "are of 95%, over identities drawn again.",
    "verification_det": "Errors at every threshold (DET)",
    "verification_det_note": "Further down and left is better. The dot marks the "
    "chosen threshold; on the dashed line both errors are equal.",
    "verification_far": "different taken for the same (FAR)",
    "verification_frr": "same taken for different (FRR)",
    "verify_eer": "equal error rate",
    "verify_auroc": "AUROC",
    "verify_accuracy": "right at the threshold",
    "verify_false_accepts": "different taken for the same, at the threshold",
    "verify_false_rejects": "same taken for different, at the threshold",
    "verify_tar": "same accepted where {far} of the others are",
}

CHINESE: dict[str, str] = {
    "scores_title": "{rows} 行上的得分",
    "target": "目标",
    "metric": "指标",
    "value": "数值",
    "interval": "95% 区间",
    "meaning": "含义",
    "name_fused": "本模型",
    "name_most_frequent": "最常见答案",
    "name_nearest_neighbour": "最近邻",
    "name_mean": "均值",
    "name_boosted_trees": "梯度提升树",
    "name_boosted_trees_tabular": "梯度提升树（仅数值、类别与标签）",
    "name_probe": "线性探针",
    "name_only": "仅 {columns}",
    "verdict_better": "优于其他最佳方法“{name}”：{metric}为 {fused}，对方为 {other}，"
    "高出 {difference}（95% 区间 {low} … {high}）。",
    "verdict_same": "并不优于“{name}”：{metric}为 {fused}，对方为 {other}；差值 {difference}（"
    "95% 区间 {low} … {high}）在噪声范围内。只用“{name}”就够了。",
    "verdict_worse": "不如“{name}”：{metric}为 {fused}，对方为 {other}，低了 {difference}（"
    "95% 区间 {low} … {high}）。请改用“{name}”。",
    "verdict_unknown": "无法判断本模型是否更好：{metric}在这些行上没有定义，或没有可比较的方法。",
    "verdict_better_short": "值得",
    "verdict_same_short": "无明显收益",
    "verdict_worse_short": "不值得",
    "verdict_unknown_short": "无法比较",
    "help_yes": "“{column}”有帮助：去掉它后，{metric}从 {full} 降到 {without}。",
    "help_unclear": "“{column}”没有明显作用：有它时{metric}为 {full}，没有它时为 {without}。",
    "help_no": "“{column}”有害：没有它时{metric}为 {without}，有它时为 {full}。",
    "skip": "跳到正文",
    "theme": "明暗切换",
    "contents": "目录",
    "report_by": "polymodal 评估报告",
    "rows_of": "行{part}数据",
    "part_train": "训练",
    "part_validation": "验证",
    "part_test": "测试",
    "summary": "总览",
    "on_test": "{rows} 行测试数据",
    "against": "与其他方法比较",
    "against_note": "条形表示{metric}；细线为 95% 区间；虚线为本模型。",
    "all_scores": "全部指标",
    "modalities": "各输入的贡献",
    "modalities_note": "同一个训练好的模型，隐藏部分输入；条形表示{metric}。",
    "all_inputs": "全部输入",
    "no_input": "无输入",
    "learning": "学习过程",
    "loss": "损失",
    "epoch": "轮次",
    "train_loss": "训练",
    "validation_loss": "验证",
    "validation_metric": "验证得分",
    "learning_note": "虚线标出最佳轮次：{epoch}。",
    "step": "步数",
    "learning_rate": "学习率",
    "seconds": "秒",
    "every_epoch": "每一轮",
    "alone_note": "旁边是每个输入单独的得分：同一个网络，隐藏其余所有输入。",
    "starved": "“{behind}”落后了：单独训练可得 {by_itself}，在本模型中却只有 {behind_score}，"
    "而“{ahead}”为 {ahead_score}。",
    "behind_unclear": "仅凭“{ahead}”得 {ahead_score}，仅凭“{behind}”得 {behind_score}，"
    "几乎等于猜测（{chance}）：要么它信息很少，要么前者使它学不到东西。",
    "balance_try": "可在配方中设置 train.balance: auto，尝试两种补救方法。",
    "balance_tried": "训练时用了 train.balance: {balance}，但未能改变这一点。",
    "answers": "答案分析",
    "confusion": "哪一类被认作哪一类",
    "confusion_note": "行为真实类别，列为模型答案；颜色越深，占该真实类别的比例越大。",
    "confused": "最易混淆的类别对",
    "confused_note": "{classes} 个类别中最常见的 {count} 种错误。",
    "truth": "真实",
    "answer": "答案",
    "rows": "行数",
    "share": "占真实类别的比例",
    "no_mistake": "这些行上没有错误。",
    "scatter": "答案与真实值",
    "scatter_note": "落在对角线上表示完全准确。显示 {rows} 行中的 {shown} 行。",
    "calibration": "它的把握有多可信",
    "calibration_note": "条形落在对角线上：把握与正确率一致。校准误差：{error}。",
    "tag_calibration_note": "条形落在对角线上：标签的概率与实际出现的比例一致。",
    "certainty": "把握",
    "share_right": "正确比例",
    "probability": "概率",
    "share_present": "确有该标签的比例",
    "below_diagonal": "低于对角线表示过于自信。",
    "per_class": "逐类结果",
    "per_tag": "逐标签结果",
    "class": "类别",
    "tag": "标签",
    "precision": "精确率",
    "recall": "召回率",
    "f1": "F1",
    "support": "行数",
    "examples": "示例",
    "references": "参考文本",
    "looks_note": "模型写每个词（每段文本至多 16 个）时所看之处：越亮看得越多。"
    "这表示读取了什么，并不说明为何选择该词。",
    "heard": "每个词是何时听到的",
    "heard_note": "声音下方的条带表示模型写每个词时听的是哪一段：颜色越浓，注意力越多。"
    "这表示读取了什么，并不说明为何选择该词。斜线：大部分读取自别处（整段录音或其他输入）。"
    "点击词语可播放该段。",
    "heard_aligned": "声音下方的条带表示文本的每个片段是何时听到的：各时刻说出它的概率，"
    "已计入所有对齐方式。斜线：由整段录音得出。点击可播放该段。",
    "heard_from_to": "{word}：{start} – {end} 秒",
    "heard_elsewhere": "其中 {share} 读取自别处",
    "heard_more": "另有 {count} 个",
    "nothing_written": "（空）",
    "examples_worst": "最严重的错误",
    "examples_surest_right": "最有把握的正确答案",
    "examples_worst_regression": "误差最大",
    "examples_surest_right_regression": "最接近的答案",
    "row": "第 {row} 行",
    "absent": "缺失",
    "too_long": "太大，无法在此展示（{size} MB）",
    "no_example": "无。",
    "examples_unsure": "最没把握的答案",
    "findings": "数据中发现的问题",
    "no_findings": "没有需要报告的问题。",
    "column": "列",
    "remedy": "如何处理",
    "severity_error": "错误",
    "severity_warning": "警告",
    "severity_note": "提示",
    "more": "等",
    "schema": "数据列",
    "modality": "模态",
    "role": "角色",
    "encoder": "编码器或输出头",
    "present": "有值",
    "missing": "缺失",
    "distinct": "不同值",
    "note": "备注",
    "role_input": "输入",
    "role_target": "目标",
    "role_ignored": "忽略",
    "role_group": "分组",
    "role_split": "划分",
    "making": "如何得到",
    "model": "模型",
    "part": "部件",
    "parameters": "参数量",
    "flops": "每行浮点运算量",
    "flops_note": "预测一行所需的浮点运算：矩阵乘法、卷积、循环与注意力，每次乘加计为两次。"
    "文本逐个词元写出，长度取参考文本的平均值。",
    "total": "合计",
    "recipe": "配方",
    "recipe_note": "全部选项，默认值均已写出：用它重新训练可得到相同的数字。",
    "command": "命令",
    "environment": "环境",
    "time": "耗时",
    "stage_reading the table": "读取表格",
    "stage_learning the modalities": "学习各模态",
    "stage_decoding the cells": "解码单元格",
    "stage_training": "训练",
    "stage_measuring": "评估",
    "stage_checking the data": "检查数据",
    "no_undefined": "– 表示：在这些行上没有定义。",
    "score": "得分",
    "mean_over_targets": "{metric}（{count} 个目标的平均）",
    "standings_title": "{count} 个候选方案，{rows} 行测试数据",
    "standings_note": "得分：{metric}。粗体：胜出者。暗色：提前停止。训练时间：单个随机种子。",
    "candidate": "候选方案",
    "without": "缺 {branch}",
    "training": "训练时间",
    "one_row": "单行耗时",
    "epochs": "轮次",
    "kind": "类型",
    "kind_fusion": "融合",
    "kind_alone": "单一输入",
    "kind_trees": "提升树",
    "trees_on_embeddings": "嵌入上的梯度提升树",
    "use": "建议使用 {name}：{metric}为 {score}",
    "name_alone": "{name}（单独）",
    "score_and_span": "{value}（{low} … {high}）",
    "better_than": "，比{other}高 {difference}（{low} … {high}）",
    "best_alone": "最佳单一输入 {name} ",
    "best_fusing": "最佳融合方式 {name} ",
    "fusing_same": "没有证据表明融合值得：最佳融合方式 {name}（{value}）与它无法区分（差值 "
    "{difference}，{low} … {high}）",
    "fusing_worse": "融合不值得：最佳融合方式 {name}（{value}）低 {difference}（{low} … {high}）",
    "fusing_unknown": "无法判断它是否优于 {name}（{value}）：测试行太少",
    "others_same": "{name}（{value}）与它无法区分（差值 {difference}，{low} … {high}）",
    "others_worse": "第二名 {name}（{value}）低 {difference}（{low} … {high}）",
    "others_better": "但在测试行上 {name}（{value}）更好，高 {difference}（{low} … {high}）："
    "验证数据与测试数据不一致",
    "and": "，",
    "comma": "、",
    "it_saves": "{name}{savings}",
    "trains_faster": "训练速度为其 {times} 倍",
    "trains_slower": "训练耗时为其 {times} 倍",
    "answers_faster": "预测速度为其 {times} 倍",
    "answers_slower": "预测耗时为其 {times} 倍",
    "one_seed": "只训练了一次、因此得分在不同训练之间的波动未知的有：{names}",
    "advice_unknown": "无法给出建议：{metric}在 {name} 的测试行上没有定义",
    "stop": "。",
    "advice_better_short": "融合值得",
    "advice_same_short": "融合无明显收益",
    "advice_worse_short": "融合不值得",
    "advice_unknown_short": "建议",
    "comparison_by": "polymodal 方案比较",
    "comparison_rows": "{rows} 行测试数据",
    "candidates_count": "个候选方案",
    "comparison_time": "总耗时",
    "winners_report": "{name} 的报告",
    "standings": "排名",
    "standings_page_note": "按验证得分排序，胜出者由验证得分选出；表中得分来自测试行，"
    "附行与随机种子上的 95% 区间。缺某输入：同一个训练好的模型，隐藏该输入。",
    "winner": "胜出",
    "epochs_of": "{epochs}/{of_epochs} 轮",
    "seeds_of": "随机种子数：{count}",
    "validation_score": "验证",
    "per_second": "每秒 {rows} 行",
    "by_target": "逐目标结果",
    "cost": "得分与代价",
    "cost_note": "越高越好，越左越省。阶梯线连接的方案，没有其他完整训练的方案在两方面都胜过它；"
    "细线为 95% 区间。指向标记可见名称。所预测的文本会完整写出，长度取参考文本的平均值。",
    "cost_training": "单个种子的训练时间（秒）",
    "cost_prediction": "预测一行的时间（毫秒）",
    "front": "同等代价下最佳",
    "stopped_early": "提前停止",
    "robustness": "缺少某个输入时",
    "robustness_note": "同一个训练好的模型，有全部输入时与隐藏一个输入时的得分："
    "标记越靠左，损失越大（{metric}）。",
    "race": "谁在何时停止",
    "race_note": "每一轮的验证得分（第一个种子）。",
    "rounds": "淘汰过程",
    "rounds_note": "全部候选同时开始；每一阶段之后只有较好的继续。落选者花费很少。",
    "round": "轮次之后",
    "entered": "参加",
    "kept": "继续",
    "dropped": "停止",
    "nameless": "因空间不足未标名称：{count} 个。",
    "lost": "{condition} {loss}",
    "refused": "无法融合这些输入",
    "why": "原因",
    # report: columns and identities compared
    "retrieval": "任意一列查找另一列",
    "retrieval_note": "一列的每个单元格按向量余弦在测试集的全部单元格中查找同一行的另一列。"
    "区间为 95%，对行重抽样得到。",
    "retrieval_asks": "查询",
    "retrieval_finds": "查找",
    "retrieval_counts": "{queries} 个查询，{answers} 个候选",
    "retrieval_chance": "随机",
    "retrieval_gallery": "查到的结果",
    "retrieval_gallery_note": "随机抽取的查询及其最前的答案；绿框表示正确。",
    "retrieval_rank": "正确答案排第 {rank}",
    "verification": "相同还是不同",
    "verification_note": "测试行的配对，其身份在训练中从未出现：{same} 对相同，{different"
    "} 对不同。余弦不低于 {threshold} 即判为相同，该阈值在验证集上选定"
    "。区间为 95%，对身份重抽样得到。",
    "verification_det": "各阈值下的错误（DET）",
    "verification_det_note": "越靠左下越好。圆点为所选阈值；虚线上两种错误相等。",
    "verification_far": "不同被判为相同（FAR）",
    "verification_frr": "相同被判为不同（FRR）",
    "verify_eer": "等错误率",
    "verify_auroc": "AUROC",
    "verify_accuracy": "阈值处的正确率",
    "verify_false_accepts": "阈值处：不同被判为相同",
    "verify_false_rejects": "阈值处：相同被判为不同",
    "verify_tar": "误接受率 {far} 时的正确接受率",
}

STRINGS: dict[Language, dict[str, str]] = {"en": ENGLISH, "zh": CHINESE}


def say(key: str, language: Language, **values: object) -> str:
    """The words for a key.

    Args:
        key: one of the keys of ``ENGLISH``.
        language: ``en`` or ``zh``.
        values: what its placeholders stand for.

    Example:
        >>> say("row", "en", row=7), say("row", "zh", row=7)
        ('row 7', '第 7 行')
    """
    return STRINGS[language][key].format(**values)


def translate(kind: str, word: str, language: Language) -> str:
    """A word that may be one of ours or the user's own, which is kept as it is.

    Args:
        kind: what the word is: ``part`` of the table, ``stage``, ``role``, ``severity``, ``name``
            of a model, ``examples``.
        word: the word.
        language: ``en`` or ``zh``.

    Example:
        >>> translate("role", "input", "zh"), translate("name", "my model", "zh")
        ('输入', 'my model')
    """
    return STRINGS[language].get(f"{kind}_{word}", word)


def rival(name: str, language: Language) -> str:
    """The name of another way of answering: one of ours, or that of the input it reads alone.

    Example:
        >>> rival("boosted_trees", "en"), rival("photo", "en")
        ('boosted trees', 'only photo')
    """
    if f"name_{name}" in STRINGS[language]:
        return STRINGS[language][f"name_{name}"]
    return say("name_only", language, columns=name)


def contestant(name: str, kind: str, language: Language) -> str:
    """A candidate of a comparison: its own name, or what boosted trees are given.

    Example:
        >>> contestant("gated", "fusion", "en"), contestant("boosted_trees", "trees", "en")
        ('gated', 'boosted trees on embeddings')
    """
    return say("trees_on_embeddings", language) if kind == "trees" else name


def duration(seconds: float) -> str:
    """A time for people.

    Example:
        >>> duration(2.04), duration(184), duration(math.nan)
        ('2.0 s', '3 min 04 s', '–')
    """
    if not math.isfinite(seconds):
        return number(None)
    minutes, rest = divmod(round(seconds), 60)
    return f"{seconds:.1f} s" if seconds < 60 else f"{minutes:,} min {rest:02} s"


def milliseconds(value: float) -> str:
    """A short time for people.

    Example:
        >>> milliseconds(2.134), milliseconds(0.041), milliseconds(1234.5)
        ('2.1 ms', '0.04 ms', '1,234 ms')
    """
    if not math.isfinite(value):
        return number(None)
    return f"{value:,.{2 if value < 1 else 1 if value < 100 else 0}f} ms"


def number(value: float | None, *, scale: float = 0) -> str:
    """A number for people: four digits or so, ``–`` where there is none.

    Args:
        value: the number.
        scale: size of the numbers it stands beside, which decides on its decimals if larger.

    Example:
        >>> [number(x) for x in (0.91249, -3.14159, 12345.6, 4, 2e-5, None, math.nan)]
        ['0.912', '−3.142', '12,346', '4.000', '2e−05', '–', '–']
        >>> number(2e-5, scale=0.3)
        '0.000'
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = max(abs(value), scale)
    if size >= 1000:
        text = f"{value:,.0f}"
    elif 0 < size < 5e-4:
        text = f"{value:.1g}"
    else:
        text = f"{value:.{3 if size < 10 else 2 if size < 100 else 1}f}"
    return text.replace("-", "−") if text.strip("-0.") else text.strip("-")
