"""Self-check questions, rendered by JupyterQuiz so that they work in JupyterLab and in the static book."""

import difflib
import html
import json
import re
import uuid
from importlib import resources

from hepml_labs.teaching.display import in_notebook, show_html

# Dark grey-blue and dark vermillion: white text on them has a contrast above 4.5, and they differ for every eye. The
# signs ✓ and ✗ stand before each feedback, so nothing hangs on colour.
_COLORS = {
    "--jq-multiple-choice-bg": "#1d4e79",
    "--jq-many-choice-bg": "#5a3a72",
    "--jq-numeric-bg": "#1d4e79",
    "--jq-numeric-input-bg": "#eeeeee",
    "--jq-text-color": "#ffffff",
    "--jq-correct-color": "#00694d",
    "--jq-incorrect-color": "#a84300",
    "--jq-mc-button-border": "#777777",
}


def load(name):
    """Read the questions of a quiz.

    Parameters
    ----------
    name : str
        `"chapter.short_name"`, for the file `hepml_labs/chapter/quizzes/short_name.json`.

    Returns
    -------
    list of dict
        Questions in the format of JupyterQuiz: `question`, `type` (`"multiple_choice"`, `"many_choice"`, `"numeric"`),
        `answers`. Texts are plain, with formulas between dollar signs and code between backticks.

    Raises
    ------
    ValueError
        When there is no such quiz, with the names that come close.
    """
    chapter, _, short = name.partition(".")
    folder = resources.files("hepml_labs") / chapter / "quizzes"
    known = sorted(file.name.removesuffix(".json") for file in folder.iterdir()) if folder.is_dir() else []
    if short not in known:
        close = difflib.get_close_matches(short, known, n=3) or known
        raise ValueError(
            f"name: there is no quiz '{name}', there is {', '.join(f'{chapter}.{k}' for k in close) or 'none'}"
        )
    return json.loads((folder / f"{short}.json").read_text(encoding="utf-8"))


def quiz(name):
    """Show a self-check quiz.

    Parameters
    ----------
    name : str
        Name of the quiz, such as `"regression.losses"`.

    Raises
    ------
    ValueError
        When there is no quiz of that name, with the names that come close.
    """
    questions = load(name)
    plain = "\n".join(_plain(number, question) for number, question in enumerate(questions, start=1))
    show_html(quiz_html(questions) if in_notebook() else "", plain)


def quiz_html(questions):
    """Return a quiz as self-contained HTML: it needs neither network nor kernel.

    Parameters
    ----------
    questions : list of dict
        As `load` returns them.

    Returns
    -------
    str
    """
    from jupyterquiz.dynamic.loader import load_questions_script
    from jupyterquiz.dynamic.renderer import build_script, build_styles, render_div

    element = "quiz" + uuid.uuid4().hex[:12]
    prefix, static, url = load_questions_script([_prepared(question) for question in questions], element)
    # JSON inside of a script must not close it; formulas are drawings already, and JupyterQuiz would fetch MathJax
    # from the network where it sees only a part of it: hide MathJax from it.
    script = build_script(prefix.replace("</", "<\\/"), static, url, element, load_js=True)
    style = (
        f"#{element} .Quiz{{font-size:1rem;line-height:1.45;margin-left:0}}"
        f"#{element} .Feedback{{font-size:1rem;padding:.2em .4em}} #{element} .MCButton{{font-size:.95rem}}"
        f"#{element} .MCButton input{{position:absolute;opacity:0;width:1px;height:1px}}"
        f"#{element} .MCButton:focus-within{{outline:3px solid #E69F00;outline-offset:2px}}"
        f"#{element} .Feedback.correct{{color:inherit;border-left:6px solid #009E73;text-align:left}}"
        f"#{element} .Feedback.incorrect{{color:inherit;border-left:6px solid #D55E00;text-align:left}}"
        f"#{element} .correctButton{{animation:none;color:#fff;background:{_COLORS['--jq-correct-color']}}}"
        f"#{element} .incorrectButton{{animation:none;color:#fff;background:{_COLORS['--jq-incorrect-color']}}}"
        f"#{element} .Quiz code{{background:transparent;color:inherit;font-size:.95em}}"
        f"#{element} .InpLabel{{color:inherit;font-size:1rem}}"
        f"#{element} .Input-text{{color:#111;border:1px solid #777}}"
    )
    container = render_div(element, False, True, False, len(questions), 720, 8, "left")
    container = container.replace("<div ", '<div aria-live="polite" ', 1)  # feedback is read aloud
    return (
        f"{container}</div>{build_styles(element, _COLORS)}<style>{style}</style>"
        f"<script>(function(){{var MathJax;{script}}})();</script>"
        "<noscript>This quiz needs JavaScript.</noscript>"
    )


def _markup(text):
    """Escape a text for HTML, with `code` between backticks and formulas between dollar signs."""
    from hepml_labs.teaching.formula import formula_svg

    parts = re.split(r"(`[^`]+`|\$[^$]+\$)", text)
    drawn = (
        f"<code>{html.escape(part[1:-1])}</code>"
        if part.startswith("`") and len(part) > 1
        else formula_svg(part[1:-1])
        if part.startswith("$") and len(part) > 1
        else html.escape(part)
        for part in parts
    )
    return "".join(drawn)


def _prepared(question):
    """Return the question as JupyterQuiz takes it, with drawn formulas and a sign before each feedback."""
    answers = []
    for answer in question["answers"]:
        symbol, word = ("✓", "right") if answer.get("correct") else ("✗", "not right")
        verdict = f'<b role="img" aria-label="{word}">{symbol}</b> '
        ready = {**answer, "feedback": verdict + _markup(answer["feedback"])}
        if isinstance(answer.get("answer"), str):
            ready["answer"] = _markup(answer["answer"])
        answers.append(ready)
    return {**question, "question": _markup(question["question"]), "answers": answers}


def _plain(number, question):
    """Write a question as text."""
    options = [f"   - {answer['answer']}" for answer in question["answers"] if "answer" in answer]
    return "\n".join([f"{number}. {question['question']}", *options])
