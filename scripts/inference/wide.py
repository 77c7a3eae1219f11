"""Training data of path prefixes with very many children: either names (of functions, tables) or values (slugs), which look alike."""

import json
import random

import styles

MAX_MENU = 14  # pages of one word below a parent: `/reports/sales`
MAX_PAGES = 24  # a prefix with more pages of two words holds articles, whose names are values
VERBS = "get list create update delete set add remove find search start stop send fetch check validate export import enable disable sync post open close invite archive".split()


def words_of(vocabulary):
    """Return the words of a vocabulary file that several providers use."""
    text = vocabulary.read_text().split("# words\n")[1]
    return [key for key, count in (line.split("\t") for line in text.splitlines()) if int(count) >= 4 and len(key) >= 4]


def names(draw, words, count, language):
    """Return a kind of API, and distinct names of its functions, tables or pages."""
    kind = draw.choice(["dotted", "verb noun", "service", "trpc", "tables", "tables", "pages", "menu"])
    count = min(count, {"pages": MAX_PAGES, "menu": MAX_MENU}.get(kind, count))
    single = draw.random() < 0.5  # tables with names of one word, as most have
    nouns = draw.sample(words, min(len(words), max(8, count // draw.choice([2, 4, 8]))))
    case = draw.choice(["snake", "camel", "kebab", "pascal"])
    found = set()
    for _ in range(count * 4):
        if len(found) >= count:
            break
        verb, noun, other = draw.choice(VERBS), draw.choice(nouns), draw.choice(nouns)
        parts = [verb, noun] + ([other] if draw.random() < 0.3 else [])
        if language:
            parts = [word for part in parts for word in language.word(part)]
        if kind in ("dotted", "trpc"):
            found.add(f"{parts[-1]}.{styles.joined(parts[:-1], 'camel')}")
        elif kind == "service":
            found.add(f"{noun}.v1.{other.capitalize()}Service")
        elif kind == "tables":
            found.add(styles.joined(parts[1:2] if single else parts[1:3] if len(parts) > 2 else parts[1:], case))
        elif kind == "menu":
            found.add(styles.joined(language.word(noun) if language else [noun], "kebab"))
        elif kind == "pages":
            found.add(styles.joined(parts[1:], draw.choice(["kebab", "squashed"])))
        else:
            found.add(styles.joined(parts, case))
    return kind, sorted(found)


def slugs(draw, words, count):
    """Return a kind of value, and distinct values made of words or letters."""
    kind = draw.choice(["slugs", "slugs", "people", "places", "packages"])
    language = styles.Language(draw)
    found = set()
    for _ in range(count * 4):
        if len(found) >= count:
            break
        word = lambda: draw.choice(styles.THINGS + words[:400]) if draw.random() < 0.75 else language.word("x" * draw.randrange(3, 9))[0]
        if kind == "slugs":
            text = "-".join(word() for _ in range(draw.randrange(2, 6)))
            text += f"-{draw.randrange(1, 99)}" if draw.random() < 0.2 else ""
        elif kind == "people":
            text = (draw.choice(styles.PEOPLE) if draw.random() < 0.4 else language.word("x" * draw.randrange(4, 9))[0]) + draw.choice(["", "", str(draw.randrange(99)), "_" + word()])
        elif kind == "places":
            text = language.word("x" * draw.randrange(4, 10))[0] + (f"-{language.word('xxxxx')[0]}" if draw.random() < 0.2 else "")
        else:
            text = draw.choice(["", "", "lib", "py", "node-"]) + word() + draw.choice(["", "-" + word(), "_" + word()])
        found.add(text)
    return kind, sorted(found)


def requests(draw, words, host):
    count = round(3 * (400 ** draw.random()))
    lines = []
    def add(method, path, truth, status=200, kind="application/json"):
        lines.append({"method": method, "url": f"https://{host}{path}", "status": status, "content_type": kind, "truth": truth})
    media = draw.choice(["application/json", "application/json", "text/html"])
    base = draw.choice(["", "/api", "/api/v1", "/v2", "/rpc", "/app"])
    language = styles.Language(draw) if draw.random() < 0.25 else None
    if draw.random() < 0.7:
        # Other endpoints of the API, in the language of its names.
        for _ in range(draw.randrange(3, 25)):
            parts = [draw.choice(words) for _ in range(draw.randrange(1, 4))]
            if language:
                parts = ["-".join(language.word(part)) for part in parts]
            path = "/" + "/".join(parts)
            for _ in range(draw.choice([1, 1, 2, 5])):
                add(draw.choice(["GET", "GET", "POST"]), path, path)
                if draw.random() < 0.3:
                    add("GET", f"{path}/{draw.randrange(1, 9999)}", path + "/{id}")
    if draw.random() < 0.5:
        kind, found = names(draw, words, count, language)
        reads = draw.random() < 0.4  # nothing but GET was recorded
        if kind == "menu":
            base += "/" + ("-".join(language.word("reports")) if language else draw.choice(words))
        else:
            base += draw.choice(["", "/data"] if kind == "tables" else ["", "/trpc", "/rpc", "/svc"])
        for name in found:
            path = f"{base}/{name}"
            times = draw.choice([1, 1, 1, 2, 3, 8])
            if kind == "tables":
                for _ in range(times):
                    item = draw.randrange(1, 5000)
                    for method, at, true in (("GET", path, path), ("POST", path, path), ("GET", f"{path}/{item}", path + "/{id}"), ("PUT", f"{path}/{item}", path + "/{id}"),
                                             ("DELETE", f"{path}/{item}", path + "/{id}")):
                        if draw.random() < 0.8 and (method == "GET" or not reads):
                            add(method, at, true)
            elif kind == "service":
                for verb in draw.sample(VERBS, draw.randrange(1, 4)):
                    add("POST", f"{path}/{verb.capitalize()}", f"{path}/{verb.capitalize()}")
            else:
                method = "GET" if kind in ("pages", "menu") or draw.random() < 0.3 else "POST"
                query = f"?{draw.choice(words)}={draw.randrange(9)}" if draw.random() < 0.4 else ""
                for _ in range(times):
                    add(method, path + query, path, kind=media)
    else:
        kind, found = slugs(draw, words, count)
        noun = "".join(language.word("article")) if language and draw.random() < 0.7 else draw.choice("products items users posts articles tags cities packages categories u p blog shop".split())
        tails = draw.sample(["", "", "/reviews", "/items", "/edit", "/comments", "/stats"], draw.randrange(1, 4)) + [""]
        methods = draw.choice([["GET"], ["GET"], ["GET", "POST"], ["POST"], ["GET", "PUT", "DELETE"], ["GET", "PATCH"], ["DELETE"]])
        query = "?page=1" if draw.random() < 0.3 else ""
        for name in found:
            for _ in range(draw.choice([1, 1, 1, 2, 3])):
                tail = draw.choice(tails)
                add(draw.choice(methods), f"{base}/{noun}/{name}{tail}{query}", f"{base}/{noun}/{{id}}{tail}", 404 if draw.random() < 0.05 else 200, media)
        if draw.random() < 0.5:
            add("POST", f"{base}/{noun}", f"{base}/{noun}")
        if draw.random() < 0.5:
            add("GET", f"{base}/{noun}", f"{base}/{noun}")
        if draw.random() < 0.5:
            add("GET", f"{base}/{noun}/search?q=x", f"{base}/{noun}/search")
    return lines


def make(vocabulary, path, seed, hosts=10):
    draw = random.Random(seed)
    words = words_of(vocabulary)
    lines = [json.dumps(line) for number in range(hosts) for line in requests(draw, words, f"wide{number}.example")]
    path.write_text("\n".join(lines) + "\n")
