"""Data augmentation: rewrites labelled traffic in other styles of path naming (language, abbreviations, case, ending, prefix).

A style rewrites path and truth together, so the labels stay correct. A model fitted on such traffic cannot rely on the conventions
of the recorded APIs. The axes are independent, and each is chosen with its own probability. `without` leaves axes out (`case`), or single
kinds of an axis (`case:upper`, `values:slugs`), to evaluate a model on styles that it was not fitted on.
"""

import random
import re
from urllib.parse import urlsplit, urlunsplit

AXES = ("language", "short", "case", "ending", "values", "prefix", "methods")
CHANCES = {"language": 0.1, "short": 0.4, "case": 0.5, "ending": 0.25, "values": 0.55, "prefix": 0.4, "methods": 0.3}
KINDS = {
    "case": "snake,kebab,camel,pascal,squashed,upper,upper squashed,camel".split(","),
    "ending": "json xml php do action aspx jsp html api cgi rest py asp".split(),
    "values": "integers,small integers,base62,slugs,slugs,slugs,users,users,users,sigil".split(","),
}
LEAVABLE = [*AXES, *sorted({f"{axis}:{kind.split()[0]}" for axis, kinds in KINDS.items() for kind in kinds})]
KEPT = re.compile(r"v?\d+([._]\d+)*|api|rest|[a-z]{1,2}", re.I)
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def is_value(part):
    return part.startswith("{") and part.endswith("}") and part.count("{") == 1


class Language:
    """An invented language: maps each English word to random syllables that are in no vocabulary, but keeps some words."""

    ONSETS = ("b c d f g h j k l m n p r s t v w y z", "b d g k l m n p s t th ch kh ng tr nh ph v x", "b br d dr f fl g gr h k kl m n p pr s sch st t v w z",
              "c cz d dz g j k l m n p prz r rz s sz t w z", "k s t n h m y r w g z d b p ky sh ch")
    VOWELS = ("a e i o u", "a e i o u a i ao ai oi ie uo", "a e i o u ei au ie oe ue", "a e i o u y ia ie", "a i u e o ou aa")
    CODAS = ("", "n ng c t m p", "r n l s t ch rn ft ng", "k c n l m r", "n")

    def __init__(self, draw):
        kind = draw.randrange(len(self.ONSETS))
        self.onsets, self.vowels = self.ONSETS[kind].split(), self.VOWELS[kind].split()
        self.codas = self.CODAS[kind].split() or [""]
        self.coda_share = draw.choice([0.0, 0.3, 0.7])
        self.split_syllables = draw.random() < 0.2
        self.english = draw.choice([0.0, 0.0, 0.2, 0.4])
        self.seed = draw.random()

    def word(self, english):
        draw = random.Random(f"{self.seed} {english.lower()}")
        if draw.random() < self.english or len(english) < 3:
            return [english.lower()]
        syllables = max(1, round(len(english) / 2.5 + draw.uniform(-0.5, 0.7)))
        made = []
        for _ in range(syllables):
            coda = draw.choice(self.codas) if draw.random() < self.coda_share else ""
            made.append(draw.choice(self.onsets) + draw.choice(self.vowels) + coda)
        return made if self.split_syllables else ["".join(made)]


class Abbreviations:
    """A host's way to shorten words: `customers` to `cstmrs`, `cust` or `cus`. Short words and some others are kept."""

    def __init__(self, draw):
        self.way = draw.choice(["vowels", "vowels", "first", "ends"])
        self.length = draw.choice([3, 4, 4, 5])
        self.share = draw.choice([0.6, 0.8, 1.0])
        self.seed = draw.random()

    def word(self, english):
        word = english.lower()
        draw = random.Random(f"{self.seed} {word}")
        if len(word) < 4 or draw.random() > self.share:
            return [word]
        without_vowels = word[0] + re.sub("[aeiou]", "", word[1:])
        short = {"vowels": without_vowels, "first": word[: self.length], "ends": without_vowels[: self.length - 1] + word[-1]}[self.way]
        return [short if len(short) > 1 else word]


def joined(words, case):
    if case == "camel":
        return words[0] + "".join(word.capitalize() for word in words[1:])
    if case == "pascal":
        return "".join(word.capitalize() for word in words)
    return {"snake": "_", "kebab": "-", "upper": "_", "squashed": "", "upper squashed": ""}[case].join(words)


def kinds(axis, without):
    """The kinds of an axis but for those that `without` leaves out."""
    return [kind for kind in KINDS[axis] if f"{axis}:{kind.split()[0]}" not in without]


class Style:
    def __init__(self, draw, without=()):
        takes = {axis: axis not in without and draw.random() < CHANCES[axis] for axis in AXES}
        self.language = Language(draw) if takes["language"] else Abbreviations(draw) if takes["short"] else None
        self.case = draw.choice(kinds("case", without)) if takes["case"] else None
        if self.language and not self.case and "case" not in without:
            self.case = draw.choice([case for case in ("squashed", "kebab", "snake", "camel", "pascal") if case in kinds("case", without)])
        elif self.language and not self.case:
            self.case = "kebab"
        self.digit = takes["case"] and draw.random() < 0.15
        ending = "." + draw.choice(kinds("ending", without))
        self.endings = [(ending, draw.choice([1.0, 0.5]))] if takes["ending"] else []
        second = "xml" if ending != ".xml" else "json"
        if takes["ending"] and draw.random() < 0.2 and second in kinds("ending", without):
            self.endings.append(("." + second, 0.5))
        self.values = draw.choice(kinds("values", without)) if takes["values"] else None
        number = draw.choice(["1", "2", "3", "4", "22"])
        word = draw.choice("app mobile web svc gateway core public client".split())
        own = "-".join(Language(draw).word(draw.choice(THINGS + ["company", "product"]))) + draw.choice(["", "", "-7f3a", "2"])
        self.prefix = draw.choice(["/api/v3", "/index.php/api", "/index.php", f"/{word}/{number}", f"/api/{word}/{number}", f"/{number}", "/rest/2.0", "/cgi-bin/app.cgi",
                                   f"/{word}", f"/{own}", f"/{own}", f"/{own}/api", f"/{own}/api/v2", f"/api/{own}"]) if takes["prefix"] else ""
        posted = draw.choice([{"PUT": "POST", "PATCH": "POST"}, {"PUT": "POST", "PATCH": "POST", "DELETE": "POST"}, {"PUT": "PATCH"}, {"PATCH": "PUT"}])
        self.methods = posted if takes["methods"] else {}
        self.seed = draw.random()
        self.names = Language(draw)
        # Values that are known words are told from names by the names below them alone. Drawn apart, so that all else stays.
        words = random.Random(f"{self.seed} words")
        self.words = words.choice(WORD_LISTS) if self.values in ("slugs", "users") and words.random() < 0.4 else None

    def literal(self, text):
        if not self.case or KEPT.fullmatch(text) or not re.fullmatch(r"[A-Za-z0-9_.\-]+", text):
            return text
        stem, dot, end = text.partition(".")
        words = [word for word in WORD.findall(stem) if word]
        if not words:
            return text
        spoken = []
        for word in words:
            spoken += self.language.word(word) if self.language and not word.isdigit() else [word.lower()]
        draw = random.Random(f"{self.seed} {text}")
        new = joined(spoken, self.case)
        if self.case.startswith("upper"):
            new = new.upper()
        if self.digit and draw.random() < 0.3:
            new += str(draw.randrange(1, 9))
        return new + dot + end

    def value(self, text):
        draw = random.Random(f"{self.seed} {text}")
        word = lambda: self.names.word("x" * draw.randrange(3, 9))[0]
        if self.words:
            return draw.choice(self.words)
        if self.values == "integers":
            return str(draw.randrange(1, 100000))
        if self.values == "small integers":
            return str(draw.randrange(1, 999))
        if self.values == "base62":
            return "".join(draw.choices("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", k=draw.choice([6, 8, 11])))
        if self.values == "slugs":
            return "-".join(draw.choice(THINGS) if draw.random() < 0.8 else word() for _ in range(draw.randrange(1, 5)))
        if self.values == "users":
            name = draw.choice(PEOPLE) if draw.random() < 0.5 else word()
            return name + draw.choice(["", "", str(draw.randrange(100)), "_" + word(), "." + word()])
        if self.values == "sigil":
            return "@" + draw.choice([word(), draw.choice(PEOPLE)])
        return text

    def path(self, path, truth):
        """Return the rewritten path and truth, or None if their numbers of segments differ."""
        seen, true = path.strip("/").split("/"), truth.strip("/").split("/")
        if len(seen) != len(true):
            return None
        out, template = [], []
        for text, part in zip(seen, true):
            if is_value(part):
                out.append(self.value(text) if self.values and text else text)
                template.append(part)
            elif "{" in part:
                out.append(text)
                template.append(part)
            else:
                out.append(self.literal(text))
                template.append(out[-1])
        for ending, share in self.endings:
            if out[-1] and "." not in out[-1] and random.Random(f"{self.seed} {ending} {truth}").random() < share:
                out[-1] += ending
                template[-1] += ending
        return self.prefix + "/" + "/".join(out), self.prefix + "/" + "/".join(template)

    def request(self, request):
        if not request.get("truth"):
            return None
        url = urlsplit(request["url"])
        got = self.path(url.path, request["truth"])
        if got is None:
            return None
        method = self.methods.get(request["method"], request["method"])
        new = dict(request, method=method, url=urlunsplit((url.scheme, url.netloc, got[0], url.query, "")), truth=got[1])
        return new


THINGS = ("red blue green old new big small dark light happy quiet brave calm summer winter leather cotton wooden silver golden shoes jacket river stone cloud garden "
          "market table window bridge forest engine paper candle bottle carpet mirror shirt lamp chair phone camera guide review tips recipe chicken pasta travel paris "
          "berlin london music rock jazz movie story night city home kids best top free how to make with for the and in of a").split()
PEOPLE = ("alice bob carol dave erin frank grace heidi ivan judy mike niaj olivia peggy rupert sybil trent victor walter anna maria jose juan wei li chen kim yuki "
          "hans peter paul john mary linda susan karen david james robert lena emma noah liam mia").split()
PLACES = ("amsterdam athens austin bangkok barcelona beijing bergen bordeaux boston bristol brussels cairo chicago cologne dallas delhi denver dresden dubai dublin "
          "geneva hamburg hanoi helsinki houston istanbul jakarta kyoto leipzig lima lisbon london lyon madrid manila miami milan montreal moscow munich nairobi "
          "new-york nice oslo paris perth porto prague quebec riga rome rotterdam santiago seattle seoul sofia stockholm sydney tokyo turin vienna warsaw zurich").split()
SECTIONS = ("accounting analytics android arts backend billing books business catalog culture database design desktop economy education engineering events "
            "family fashion finance food football frontend games garden health history home kids legal local marketing mobile movies music nature news opinion "
            "operations payments people politics press products research sales science security shopping sports stage staging support technology test tools "
            "travel video weather web website worker world").split()
CODES = [first + second + third for first in "ABEHKLMNRSTW" for second in "AEIKORU" for third in "DGLMNRSTX"]
WORD_LISTS = [PLACES, SECTIONS, CODES]
