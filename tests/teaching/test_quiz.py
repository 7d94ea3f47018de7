"""Every quiz of every chapter is well made, and the page that shows it needs no network."""

import json
import re
from pathlib import Path

import pytest

import hepml_labs
from hepml_labs.teaching.formula import formula_svg
from hepml_labs.teaching.quiz import load, quiz, quiz_html

FILES = sorted(Path(hepml_labs.__file__).parent.glob("*/quizzes/*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_quiz_is_well_made(path):
    questions = load(f"{path.parts[-3]}.{path.stem}")
    assert len(questions) >= 3
    for question in questions:
        answers, text = question["answers"], question["question"]
        assert text.strip()
        assert question["type"] in ("multiple_choice", "many_choice", "numeric"), text
        assert all(answer.get("feedback", "").strip() for answer in answers), text
        right = sum(bool(answer.get("correct")) for answer in answers)
        if question["type"] == "numeric":
            assert right >= 1, text
            assert any(answer.get("type") == "default" for answer in answers), text
        else:
            assert len(answers) >= 3, text
            assert len({answer["answer"] for answer in answers}) == len(answers), text
            assert right == 1 if question["type"] == "multiple_choice" else 1 <= right < len(answers), text
        for part in [text, *(str(answer.get(key, "")) for answer in answers for key in ("answer", "feedback"))]:
            assert part.count("$") % 2 == 0, part
            assert part.count("`") % 2 == 0, part
            assert not re.search(r"</?[a-z]+>|&[a-z]+;|<http|\]\(", part), f"plain text, please: {part}"
    assert quiz_html(questions)


def questions():
    return [
        {
            "question": r"Is $\sigma^2 < 1$ in `a < b`?",
            "type": "multiple_choice",
            "code": "print('</script>')",
            "answers": [
                {"answer": "yes </script>", "correct": True, "feedback": r"As $\frac{1}{2}$."},
                {"answer": "no", "correct": False, "feedback": "Look again."},
            ],
        }
    ]


def test_page_loads_nothing_and_draws_its_formulas():
    markup = quiz_html(questions())
    script = markup[markup.index("<script>") : markup.rindex("</script>")]
    assert script.startswith("<script>(function(){var MathJax;")  # JupyterQuiz never sees MathJax, so never fetches it
    assert markup.count("</script>") == 1
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", markup)
    data = json.loads(re.search(r"=(\[\{.*?\}\]);\n", script, re.S).group(1))
    assert data[0]["question"].count("<svg") == 1
    assert "<code>a &lt; b</code>" in data[0]["question"]
    assert [re.sub("<[^>]+>", "", answer["feedback"])[:1] for answer in data[0]["answers"]] == ["✓", "✗"]


def test_every_quiz_on_a_page_has_an_identifier_of_its_own():
    first, second = (re.search(r'id="(quiz\w+)"', quiz_html(questions())).group(1) for _ in range(2))
    assert first != second


def test_quiz_is_text_in_a_terminal(capsys):
    quiz(f"{FILES[0].parts[-3]}.{FILES[0].stem}")
    assert capsys.readouterr().out.startswith("1. ")


def test_unknown_quiz_is_answered_with_close_names():
    with pytest.raises(ValueError, match=f"there is .*{FILES[0].stem}"):
        load(f"{FILES[0].parts[-3]}.{FILES[0].stem}x")
    with pytest.raises(ValueError, match="there is none"):
        load("cooking.eggs")


def test_formula_says_what_it_cannot_read():
    with pytest.raises(ValueError, match="cannot read the formula"):
        formula_svg(r"\notacommand{")
