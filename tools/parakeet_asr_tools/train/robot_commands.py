"""Sentences that people say to robots, drawn from a small grammar, as the demo model writes them."""

from __future__ import annotations

import random

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = (
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
_ROOMS = (
    "kitchen", "living room", "bedroom", "bathroom", "hallway", "garage", "garden", "balcony", "office",
    "lab", "workshop", "warehouse", "reception", "lobby", "elevator", "meeting room", "storage room",
    "dining room", "loading dock", "front door", "back door", "charging dock", "charging station",
    "conference room", "cafeteria", "entrance", "laundry room", "basement", "nursery", "terrace",
    "parking lot", "pharmacy", "ward", "exit",
)  # fmt: skip
_THINGS = (
    "cup", "mug", "bottle", "water bottle", "plate", "spoon", "fork", "knife", "book", "newspaper", "phone",
    "tablet", "laptop", "remote control", "screwdriver", "hammer", "wrench", "drill", "toolbox", "box",
    "crate", "package", "parcel", "letter", "key", "glass", "apple", "banana", "orange", "sandwich",
    "medicine", "bandage", "towel", "blanket", "pillow", "jacket", "bag", "backpack", "umbrella", "charger",
    "cable", "battery", "camera", "lamp", "chair", "table", "tray", "basket", "pen", "notebook", "folder",
    "ball", "toy", "shoe", "wallet", "vase",
)  # fmt: skip
_COLOURS = ("red", "green", "blue", "yellow", "white", "black", "brown", "orange", "grey", "silver", "purple")
_SIZES = ("small", "large", "big", "heavy", "light", "empty", "full", "broken", "new", "old", "long", "short")
_PEOPLE = (
    "Anna", "John", "Maria", "David", "Sarah", "Peter", "Emma", "Paul", "Lisa", "Tom", "Laura", "James",
    "Nina", "Robert", "Sofia", "Daniel", "Helen", "Frank", "Alice", "George", "my mother", "my father",
    "my sister", "my brother", "the doctor", "the nurse", "the manager", "the visitor", "the guest",
    "the technician", "me",
)  # fmt: skip
_DEVICES = (
    "lights", "radio", "television", "heater", "fan", "camera", "speaker", "printer", "vacuum",
    "coffee machine", "air conditioner", "alarm", "oven", "washing machine", "projector", "music",
    "microphone", "lamp",
)  # fmt: skip
_PLACES = ("on", "under", "behind", "next to", "in front of", "near", "beside", "above")
_FURNITURE = (
    "table", "desk", "shelf", "sofa", "bed", "counter", "cabinet", "drawer", "fridge", "chair", "bench",
    "floor", "window", "door", "box", "workbench", "nightstand", "couch", "rack", "trolley",
)  # fmt: skip
_DIRECTIONS = ("left", "right", "forward", "backward", "back", "up", "down")
_SIDES = ("left", "right")
_UNITS = ("meters", "centimeters", "steps", "degrees", "feet", "inches")
_TIMES = ("minutes", "seconds", "hours", "days")
_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "tomorrow", "today")
_ACTS = (
    "call", "follow", "find", "guide", "help", "wake", "greet", "wait for", "look for", "talk to", "remind",
    "go to", "stay with", "accompany",
)  # fmt: skip
_FIXED = (
    "Stop.", "Stop now.", "Come here.", "Follow me.", "Wait here.", "Go home.", "Start cleaning.",
    "Be quiet.", "What is your name?", "How are you?", "What time is it?", "Say that again.",
    "Repeat that, please.", "Yes.", "No.", "Okay.", "Thank you.", "Good morning.", "Good night.",
    "Cancel that.", "Never mind.", "Go ahead.", "Pause the mission.", "Continue the mission.",
    "Emergency stop.", "Return to base.", "Go to sleep.", "Wake up.", "Take a picture.",
    "Open the gripper.", "Close the gripper.", "Raise your arm.", "Lower your arm.", "Look at me.",
    "What can you see?", "Where are you?", "Are you ready?", "Do you understand?", "Turn around.",
    "Watch out.", "Stand up.", "Sit down.", "Speed up.", "Slow down.", "Keep going.", "Back up.",
    "Charge your battery.",
)  # fmt: skip
_TEMPLATES = (
    "Go to the {room}.", "Drive to the {room}.", "Move to the {room}, please.", "Please go to the {room}.",
    "Go to room {digits}.", "Take {whom} to the {room}.", "Guide {whom} to the {room}.",
    "Navigate to the {room}.", "Bring me the {thing}.", "Bring the {thing} to {whom}.",
    "Bring the {thing} to the {room}.", "Could you bring {count} {colour} {thing}s to the {room}, please?",
    "Fetch the {colour} {thing} from the {room}.", "Bring the {thing} to {whom} in the {room}.",
    "Get me a {size} {thing}.", "Take the {size} {thing} from {whom}.", "Pick up the {colour} {thing}.",
    "Pick up {count} {thing}s and put them {place} the {furniture}.",
    "Put the {thing} {place} the {furniture}.", "Place the {size} {thing} {place} the {furniture}.",
    "Put the {colour} {thing} in the {room}.", "Hand the {thing} to {whom}.", "Give {whom} the {thing}.",
    "Where is the {thing}?", "Where is {whom}?", "Is the {thing} {place} the {furniture}?",
    "Who is in the {room}?", "The {thing} is {place} the {furniture}.",
    "The {colour} {thing} is in the {room}.", "Is the {room} clear?",
    "How many {thing}s are in the {room}?", "Do you see the {colour} {thing}?",
    "Find the {thing} in the {room}.", "Turn {direction}.", "Turn {direction} {number} degrees.",
    "Move {direction} {number} {unit}.", "Go {direction} {number} {unit} and stop.",
    "Rotate {number} degrees to the {side}.", "Raise the arm by {number} {unit}.",
    "Set your speed to {number} percent.", "Lower it by {number} {unit}.", "Turn on the {device}.",
    "Turn off the {device} in the {room}.", "Switch on the {device}, please.",
    "Set the {device} to {number}.", "Is the {device} on?", "Start the {device} at {clock}.",
    "Patrol the {room} every {number} {time}.", "Remind me in {number} {time} to call {whom}.",
    "Open the {furniture}.", "Set a timer for {number} {time}.", "Wake me up at {clock}.",
    "Wait {number} {time}, then go to the {room}.", "First go to the {room}, then bring me the {thing}.",
    "Remind {whom} about the meeting on {day}.", "{act} {whom}.", "{act} {whom} in the {room}.",
    "Please {act} {whom} and come back.", "Close the {furniture}.", "My number is {digits}.",
    "The number is {digits}.", "The code is {digits}.", "My code is {digits}.", "Enter {digits}.",
    "Erase {letters} {digits}.", "{digits}.", "{letters}.", "Spell {letters}.", "{pairs}.",
    "Clean the {room} on {day}.", "Clean the {room}, then charge your battery.",
    "Show me the way to the {room}.", "Tell {whom} that the {thing} is ready.",
    "Weigh the {colour} {thing}.", "What is {place} the {furniture}?", "Do not enter the {room}.",
    "Do not touch the {thing}.", "Avoid the {furniture} in the {room}.", "{fixed}",
    "Lock the {room} at {clock}.", "I need the {thing} and the {colour} {thing}.",
    "Follow {whom} to the {room}.",
)  # fmt: skip


def sentences(count: int, seed: int) -> list[str]:
    """So many different sentences; the same seed gives the same ones."""
    chance = random.Random(seed)  # noqa: S311  # not for secrets
    found: dict[str, None] = {}
    while len(found) < count:
        text = chance.choice(_TEMPLATES).format_map(_Words(chance))
        found[text[0].upper() + text[1:]] = None
    return list(found)


class _Words(dict[str, str]):
    """Fills the places of a template, every one anew."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    def __missing__(self, name: str) -> str:
        pick = self._chance.choice
        lists = {
            "room": _ROOMS, "thing": _THINGS, "colour": _COLOURS, "size": _SIZES, "device": _DEVICES,
            "place": _PLACES, "furniture": _FURNITURE, "direction": _DIRECTIONS, "unit": _UNITS,
            "side": _SIDES,
            "time": _TIMES, "day": _WEEK, "act": _ACTS, "whom": _PEOPLE, "fixed": _FIXED,
        }  # fmt: skip
        if name in lists:
            return pick(lists[name])
        if name == "number":
            return _number(self._chance.randint(1, 99))
        if name == "count":
            return _number(self._chance.randint(2, 20))
        if name == "clock":
            minutes = pick(("thirty", "fifteen", "forty five", "o clock"))
            return f"{_number(self._chance.randint(1, 12))} {minutes}"
        if name == "digits":
            return " ".join(pick((*_ONES[1:10], "oh", "zero")) for _ in range(self._chance.randint(3, 7)))
        if name == "pairs":
            return " ".join(_number(self._chance.randint(10, 99)) for _ in range(self._chance.randint(2, 4)))
        assert name == "letters", name
        return " ".join(pick("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(self._chance.randint(3, 8)))


def _number(value: int) -> str:
    """1 to 99 in words."""
    if value < len(_ONES):
        return _ONES[value]
    tens, ones = divmod(value, 10)
    return _TENS[tens - 2] + (f" {_ONES[ones]}" if ones else "")
