"""What hides a text is undone, and what people write stays as it is."""

import time

import pytest

from rarecase.guard.normalize import normalize

UNDONE = {
    "I  w a n t  t o  s t o p": "I want to stop",
    "please s t o p  i t now": "please stop it now",
    "I w a n t": "I want",
    "I D I O T": "IDIOT",
    "C O V I D 19": "COVID 19",
    "m y  4 0 1 k  p l a n ?": "my 401k plan?",
    "w   h   y    m   e": "why me",
    "w h y  m e, n o w  i t?!": "why me, now it?!",
    "h e l p,  n o w.  I  w a n t  m e.": "help, now. I want me.",
    "s.t.o.p  n-o-w": "stop  now",
    "sToPpInG": "stopping",
    "i wAnT tO sTop": "i want to stop",
    "ｓｔｏｐ　ｉｔ！": "stop it!",
    "𝐬𝐭𝐨𝐩 ⓘⓣ 🅽🅾🆆 ɴᴏᴡ ˢᵗᵒᵖ": "stop it NOW now stop",
    "s\u200bt\u2060o\u00adp \u200bit": "stop it",
    "stöppïñg ìt nôw": "stopping it now",
    "s̶t̶o̶p̶": "stop",
    "ѕtор іt": "stop it",  # `ор` and `іt` are half Cyrillic, and so is the text
    "ѕtop оро": "stop opo",
    "vіtamin": "vitamin",
}
KEPT = [
    *("401k and 1099-R", "1 2 3 4", "Vitamin D 3 I think", "A or B", "e.g. this, i.e. that", "3.1.2"),
    *("iPhone, YouTube and a PhD", "McDonald's", "WHY ME", "The NHS", "x = y", "a - b - c"),
    *("x,  y", "J. R. R. Tolkien", "A, B, C", "a:  b,  c.  d"),
    *("été à Orléans chez Zoë", "Příští úterý", "Tôi không biết phải làm gì", "Müßiggang", "São Paulo"),
    *("Я хочу купить cтол, Москва", "око за око", "IT-специалист", "Δοκιμή ενός κειμένου", "не e-mail"),
    *("سلام على الجميع ١٢٣", "می‌خواهم", "नमस्ते क्‍षण", "我想，好！", "Tシャツ", "ก็​ดี", "שָׁלוֹם"),
    *("👨‍👩‍👧 ❤️ 🇩🇪", "m² of H₂O", "α-blocker and γ-ray", "½ ™ №5", "", " \n\t"),
]


@pytest.mark.parametrize("text", [*UNDONE])
def test_what_hides_a_text_is_undone(text):
    assert normalize(text) == (UNDONE[text], 0)
    assert normalize(UNDONE[text]).text == UNDONE[text]


@pytest.mark.parametrize("text", KEPT)
def test_what_people_write_stays_as_it_is(text):
    assert normalize(text) == (text, 0)


def test_half_characters_are_replaced_and_counted():
    assert normalize("a \ud83d\ude00 \udc00 b") == ("a ��  � b".replace("  ", " "), 3)


@pytest.mark.parametrize(
    "piece", ["\u200b", "a ", " ", "a\u200b", "é̶", "аa ", "a.", "aA", "a,  ", "\u200b я", "\u0323\u0301"]
)
def test_a_long_text_takes_time_in_proportion(piece):
    def seconds(times: int) -> float:
        text = piece * times
        begun = time.perf_counter()
        normalize(text)
        return time.perf_counter() - begun

    seconds(100)
    assert seconds(30_000) < 3
