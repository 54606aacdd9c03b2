"""What is done to the way to Plausible, and to what Plausible answers."""

from __future__ import annotations

import asyncio
from typing import Final

from load.chaos.moods import Mood
from load.chaos.scene import Do, Scene

AWAY_S: Final = 2.0
FLAPS: Final = 10
FLAP_S: Final = 0.2


def moody(mood: Mood) -> Do:
    """Let Plausible's place fail in this way."""

    async def do(scene: Scene) -> bool:
        scene.sink.mood = mood
        try:
            await asyncio.sleep(AWAY_S)
        finally:
            scene.sink.mood = Mood.FINE
        return True

    return do


async def refused(scene: Scene) -> bool:
    """Let nobody listen there; connections are cut."""
    await _refuse(scene, AWAY_S)
    return True


async def flapping(scene: Scene) -> bool:
    """Let it go and come every 200 ms."""
    for _ in range(FLAPS):
        await _refuse(scene, FLAP_S)
        await asyncio.sleep(FLAP_S)
    return True


async def _refuse(scene: Scene, for_s: float) -> None:
    scene.sink.stop()
    scene.sink.cut()
    try:
        await asyncio.sleep(for_s)
    finally:
        await scene.sink.start()


async def expired(scene: Scene) -> bool:
    """Let it show a certificate that is out of date. Only the second worker speaks TLS to it."""
    certificates = scene.sink.certificates
    if certificates is None:
        return False
    certificates.show("expired")
    scene.sink.cut()
    try:
        await asyncio.sleep(AWAY_S)
    finally:
        certificates.show("good")
    return True


async def no_tls(scene: Scene) -> bool:
    """Let it answer to TLS with something else, again to the second worker alone."""
    scene.sink.says_no_tls = True
    scene.sink.stop()
    await scene.sink.start()
    scene.sink.cut()
    try:
        await asyncio.sleep(AWAY_S)
    finally:
        scene.sink.says_no_tls = False
        scene.sink.stop()
        await scene.sink.start()
    return True
