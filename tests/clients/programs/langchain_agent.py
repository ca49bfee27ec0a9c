"""Asks an agent of LangChain whose middleware is the one of the page, before a model that always says the same."""

import asyncio
import json
import os
import sys

import langchain
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

sys.path.insert(0, os.environ["PAGE"])
from guarded import moderation

asked = []


def answers():
    while True:
        asked.append(1)
        yield AIMessage(os.environ["ANSWER"])


agent = create_agent(GenericFakeChatModel(messages=answers()), middleware=[moderation])


def turn(text):
    return {"messages": [{"role": "user", "content": text}]}


def outcome(before, found=None, error=None):
    said = {"said": [one.content for one in found["messages"][1:]]} if found else {"error": type(error).__name__}
    return {**said, "asked": len(asked) - before}


def at_once(text, before):
    try:
        return outcome(before, agent.invoke(turn(text)))
    except Exception as error:
        return outcome(before, error=error)


async def without_waiting(texts):
    found = []
    for text in texts:
        before = len(asked)
        try:
            found.append(outcome(before, await agent.ainvoke(turn(text))))
        except Exception as error:
            found.append(outcome(before, error=error))
    return found


texts = json.loads(os.environ["TEXTS"])
turns = [at_once(text, len(asked)) for text in texts]
print(json.dumps({"version": langchain.__version__, "turns": turns, "async": asyncio.run(without_waiting(texts))}))
