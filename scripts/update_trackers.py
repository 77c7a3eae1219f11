#!/usr/bin/env python3
"""Writes data/trackers.txt from the npm package third-party-web: update_trackers.py PACKAGE.tgz DATE (npm pack third-party-web).

DATE is the day on which the package was published (npm view third-party-web time). The package names the companies behind the
domains that the HTTP Archive sees on many sites; of its categories those are taken whose requests are made for the company and
not for the visitor.
"""

import json
import sys
import tarfile

CATEGORIES = {"ad", "analytics", "tag-manager"}
# Domains in these categories that are not trackers as a whole: people use a site or an API there, or (de.com) register names.
SITES = {
    "apple.com", "bing.com", "de.com", "ebay.com", "line.me", "microsoft.com", "net.pl", "pendo.io", "qualtrics.com", "salesforce.com", "snapchat.com",
    "www.linkedin.com", "yahoo.com", "yahoo.net", "yahooapis.com",
}  # fmt: skip


def main(package: str, date: str) -> None:
    with tarfile.open(package) as archive:
        read = lambda name: json.load(archive.extractfile(f"package/{name}"))
        version = read("package.json")["version"]
        entities = read("dist/entities-nostats.json")
    domains = {
        domain.removeprefix("*.").lower()
        for entity in entities
        if entity["category"] in CATEGORIES
        for domain in entity["domains"]
    }
    # A domain stands for its subdomains.
    inner = {domain for domain in domains for at in parents(domain) if at in domains}
    kept = sorted(domains - SITES - inner)
    with open("data/trackers.txt", "w", encoding="utf-8") as out:
        out.write(
            "# Domains of advertising, analytics and tag managers, one a line; each stands for its subdomains. Written by\n"
            "# scripts/update_trackers.py and not by hand.\n"
            f"# Source: third-party-web {version} (npm), {date}. MIT License, Copyright (c) 2019 Patrick Hulce.\n"
        )
        out.writelines(f"{domain}\n" for domain in kept)
    print(f"{len(kept)} domains")


def parents(domain: str) -> list[str]:
    labels = domain.split(".")
    return [".".join(labels[at:]) for at in range(1, len(labels) - 1)]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
