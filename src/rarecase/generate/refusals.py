"""
Whether a language model declined to write. A post can say that its writer is sorry and cannot go on, so a refusal also
has to speak of what a model is asked for and does not do: write content, give advice, help with a request; or to end
in "with that".
"""

import re

# Of each language: how a refusal may begin, what it says that the model cannot do, and of what it has to speak then.
_LANGUAGES = (
    (
        r"(?:i'm|i am)?(?: very| so| really| truly)? ?sorry|apologies|i apologi[sz]e|unfortunately|i understand",
        r"\b(?:i|we)(?:'m| am| are)? (?:just |only |still )?"
        r"(?:can't|cannot|can not|won't|will not|(?:must|have to)(?= decline)|not going|unable|not able"
        r"|not(?= comfortable)|(?:do not|don't) feel(?= comfortable))",
        # The verb tells it from a post: people cannot pay for, find or bear these things.
        r"\b(?:(?:assist|comfortable|comply|continue|help|participate|proceed)(?: you)? (?:in|with)"
        r"|(?:accommodat|answer|complet|creat|declin|discuss|encourag|engag|fulfil|generat|giv|mak|offer|paraphras"
        r"|perform|process|produc|promot|provid|rephras|reproduc|respond|rewrit|say|shar|support|translat|vary|writ)"
        r"\w*)\b[^.,!?\n]{0,60}?\b"
        r"(?:requests?|prompt|task|content|variations?|versions?|paraphrases?|rewordings?|rewrites?|posts?|material"
        r"|(?:medical|legal|financial) advice|the help that you need)\b"
        r"|(?:assist|help|comply)(?: you)?(?: (?:with|in) (?:that|this|it))?(?: right now| here)? ?(?:[.!,;]|$)"
        r"|(?:do that|(?:write|answer|discuss) (?:that|this|it)) ?(?:[.!,;]|$)",
    ),
    (
        r"(?:es )?tut mir (?:sehr )?leid|entschuldigung|leider",
        r"\b(?:ich kann|kann ich|ich darf|darf ich)",
        r"(?:anfrage|inhalte?|(?:dabei|damit|hierbei)[^.!?\n]{0,20} nicht (?:weiter)?helfen)\b",
    ),
    (r"(?:es )?tut mir (?:sehr )?leid", r"\b(?:dabei|damit|hierbei) kann ich", r"nicht (?:weiter)?helfen\b"),
    (
        r"(?:je suis )?(?:vraiment )?désolée?|malheureusement",
        r"\bje ne (?:peux|suis|pourrai)",
        r"(?:demande|contenus?|vous aider)\b",
    ),
    (
        r"lo siento|lo lamento|lamentablemente",
        r"\bno (?:puedo|podemos)",
        r"(?:solicitud|contenidos?|petición|ayudarte con)\b",
    ),
    (r"mi dispiace|purtroppo", r"\bnon (?:posso|possiamo)", r"(?:richiest[ae]|contenut[oi]|aiutarti con)\b"),
    (
        r"desculpe|sinto muito|lamento|infelizmente",
        r"\bnão (?:posso|podemos)",
        r"(?:pedidos?|solicitação|conteúdos?)\b",
    ),
    (
        r"het spijt me|sorry|helaas",
        r"\b(?:ik kan|kan ik)",
        r"(?:verzoek|inhoud|(?:daar|hier)(?:mee|bij) niet helpen)\b",
    ),
    (r"(?:很|非常)?(?:抱歉|对不起|對不起)", r"(?:不能|无法|無法)", r"(?:请求|請求|内容|內容|协助|協助)"),
    (
        r"(?:大変)?申し訳",
        r"(?:ありません|ございません)が?、?",
        r"(?:ご要望|リクエスト|ご依頼|内容|お手伝いできません)",
    ),
    (r"죄송", r"(?:합니다|하지만)[.,]? ?", r"(?:요청|도와드릴 수|내용)"),
)
_A_MODEL = (
    r"(?:as|i'm|i am)(?: just| only)? an? (?:ai|artificial intelligence|(?:large )?language model)\b(?: \w+){0,3}[,.]"
)
_BEGINS = [
    rf"(?:(?:{sorry})[^!?\n]{{0,100}}?)?(?:{cannot})[^.,!?\n]{{0,80}}?(?:{asked})"
    for sorry, cannot, asked in _LANGUAGES
]
_REFUSAL = re.compile("|".join((_A_MODEL, *_BEGINS)), re.IGNORECASE)


def is_refusal(text: str) -> bool:
    """Whether a text begins as a model that will not do what it was asked."""
    return bool(_REFUSAL.match(text.lstrip(" \n\"'“*_#")[:400].replace("’", "'")))
