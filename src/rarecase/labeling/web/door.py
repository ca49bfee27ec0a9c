"""The page of who is not in: the content warning, and how one signs in. It needs nothing behind the gate."""

from html import escape
from string import Template

from starlette.responses import HTMLResponse

WARNING = (
    "Content warning. The texts here may speak of self-harm, illness, crime and distress. Take breaks, skip what you "
    "do not want to read, and stop whenever you like."
)

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Labeling</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; }
body { max-width: 34rem; margin: 10vh auto; padding: 0 1.2rem; font: 1.05rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; }
label { display: block; font-weight: 600; margin-bottom: 0.4rem; }
input, button, .button { font: inherit; padding: 0.6rem 0.9rem; border-radius: 8px; }
input { width: 100%; box-sizing: border-box; border: 1px solid GrayText; margin-bottom: 0.8rem; }
button, .button { display: inline-block; border: 0; background: #1d4ed8; color: white; text-decoration: none; }
:focus-visible { outline: 3px solid #60a5fa; outline-offset: 2px; }
.warning { border-left: 4px solid #d97706; padding-left: 1rem; }
</style>
</head>
<body>
<main>
<h1>Labeling</h1>
$said
$form
<p class="warning">$warning</p>
</main>
</body>
</html>
""")


def door(form: str, said: str = "", *, status: int = 401, back: bool = False, leave: bool = False) -> HTMLResponse:
    """
    Args:
        form (`str`): HTML by which one signs in; empty where that would not help.
        said (`str`): what to tell the person, as text.
        status (`int`): of the answer.
        back (`bool`): whether the labeling page is open to them.
        leave (`bool`): whether they may want to sign in as somebody else.
    """
    told = f'<p role="alert">{escape(said)}</p>' if said else ""
    told += '<p><a class="button" href="/">To the labeling page</a></p>' if back else ""
    told += '<p><a class="button" href="/logout">Sign out</a></p>' if leave else ""
    page = _PAGE.substitute(said=told, form=form, warning=escape(WARNING))
    return HTMLResponse(page, status, {"Cache-Control": "no-store"})
