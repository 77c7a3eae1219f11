//! The singular of English nouns, as names of parameters and types need it.

/// Nouns whose singular follows no rule, as (plural, singular), sorted.
const IRREGULAR: [(&str, &str); 90] = [
    ("aches", "ache"),
    ("ads", "ad"),
    ("alumni", "alumnus"),
    ("analyses", "analysis"),
    ("apis", "api"),
    ("appendices", "appendix"),
    ("atlases", "atlas"),
    ("axes", "axis"),
    ("brownies", "brownie"),
    ("cacti", "cactus"),
    ("calories", "calorie"),
    ("calves", "calf"),
    ("canoes", "canoe"),
    ("canvases", "canvas"),
    ("children", "child"),
    ("cookies", "cookie"),
    ("cpus", "cpu"),
    ("crises", "crisis"),
    ("criteria", "criterion"),
    ("curricula", "curriculum"),
    ("dbs", "db"),
    ("diagnoses", "diagnosis"),
    ("dwarves", "dwarf"),
    ("elves", "elf"),
    ("emojis", "emoji"),
    ("feet", "foot"),
    ("foci", "focus"),
    ("foes", "foe"),
    ("fungi", "fungus"),
    ("gases", "gas"),
    ("geese", "goose"),
    ("genies", "genie"),
    ("gpus", "gpu"),
    ("halves", "half"),
    ("hooves", "hoof"),
    ("hypotheses", "hypothesis"),
    ("ids", "id"),
    ("indices", "index"),
    ("ips", "ip"),
    ("knives", "knife"),
    ("kpis", "kpi"),
    ("leaves", "leaf"),
    ("lenses", "lens"),
    ("lice", "louse"),
    ("lives", "life"),
    ("loaves", "loaf"),
    ("matrices", "matrix"),
    ("memoranda", "memorandum"),
    ("men", "man"),
    ("menus", "menu"),
    ("mice", "mouse"),
    ("movies", "movie"),
    ("newbies", "newbie"),
    ("niches", "niche"),
    ("nuclei", "nucleus"),
    ("oases", "oasis"),
    ("oxen", "ox"),
    ("parentheses", "parenthesis"),
    ("pcs", "pc"),
    ("people", "person"),
    ("phenomena", "phenomenon"),
    ("quizzes", "quiz"),
    ("radii", "radius"),
    ("rookies", "rookie"),
    ("scarves", "scarf"),
    ("schemata", "schema"),
    ("selfies", "selfie"),
    ("shelves", "shelf"),
    ("shoes", "shoe"),
    ("skus", "sku"),
    ("smoothies", "smoothie"),
    ("stimuli", "stimulus"),
    ("strata", "stratum"),
    ("syllabi", "syllabus"),
    ("syntheses", "synthesis"),
    ("taxis", "taxi"),
    ("teeth", "tooth"),
    ("theses", "thesis"),
    ("thieves", "thief"),
    ("toes", "toe"),
    ("tvs", "tv"),
    ("uis", "ui"),
    ("uris", "uri"),
    ("vertices", "vertex"),
    ("vms", "vm"),
    ("wikis", "wiki"),
    ("wives", "wife"),
    ("wolves", "wolf"),
    ("women", "woman"),
    ("zombies", "zombie"),
];

/// Nouns that end in `s` and are not plurals, or whose plural and singular are equal.
const UNCHANGED: [&str; 26] = [
    "alias",
    "atlas",
    "bias",
    "canvas",
    "chaos",
    "christmas",
    "clothes",
    "cosmos",
    "css",
    "dns",
    "ethos",
    "gas",
    "gps",
    "https",
    "ios",
    "kubernetes",
    "lens",
    "logistics",
    "macos",
    "news",
    "pos",
    "series",
    "sms",
    "sos",
    "species",
    "tls",
];

/// Ends of plurals of nouns in `us`: `statuses`, `buses`, `campuses`.
const PLURALS_IN_US: [&str; 14] = [
    "buses", "circuses", "eusses", "focuses", "iuses", "luses", "locuses", "nuses", "puses",
    "ruses", "suses", "tuses", "xuses", "guses",
];

/// The singular of the last word of a noun in snake case. A word that is not a plural is returned unchanged.
pub(crate) fn singular(noun: &str) -> String {
    let (head, word) = noun.rfind('_').map_or(("", noun), |at| noun.split_at(at + 1));
    format!("{head}{}", singular_word(word))
}

fn singular_word(word: &str) -> String {
    let without = |end: &str| word.strip_suffix(end).unwrap_or(word);
    let ends_with = |ends: &[&str]| ends.iter().any(|end| word.ends_with(end));
    if let Ok(at) = IRREGULAR.binary_search_by(|(many, _)| (*many).cmp(word)) {
        return IRREGULAR[at].1.to_owned();
    }
    if word.len() < 4 || UNCHANGED.contains(&word) {
        return word.to_owned();
    }
    if let Some(stem) = word.strip_suffix("ies") {
        // Words of four letters are `ties`, `pies`, `lies`.
        return if stem.len() > 1 { format!("{stem}y") } else { format!("{stem}ie") };
    }
    if ends_with(&PLURALS_IN_US) || ends_with(&["sses", "shes", "xes", "zzes", "iases"]) {
        return without("es").to_owned();
    }
    if ends_with(&["ches"]) && !ends_with(&["caches", "avalanches", "psyches", "quiches"]) {
        return without("es").to_owned();
    }
    if ends_with(&["oes"]) {
        return without("es").to_owned();
    }
    if ends_with(&["ss", "us", "is"]) {
        return word.to_owned();
    }
    without("s").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(IRREGULAR.is_sorted());
    }

    #[test]
    fn plurals_have_their_singulars() {
        let pairs = "warehouses warehouse, aliases alias, indices index, heroes hero, lens lens, lenses lens, \
            databases database, addresses address, statuses status, caches cache, houses house, courses course, cases case, \
            phases phase, purposes purpose, licenses license, leases lease, boxes box, taxes tax, branches branch, \
            batches batch, crashes crash, quizzes quiz, buses bus, processes process, glasses glass, analyses analysis, \
            crises crisis, axes axis, matrices matrix, vertices vertex, appendices appendix, movies movie, cookies cookie, \
            series series, news news, people person, children child, men man, women woman, feet foot, mice mouse, \
            criteria criterion, wolves wolf, knives knife, lives life, shelves shelf, halves half, leaves leaf, \
            archives archive, drives drive, curves curve, potatoes potato, echoes echo, shoes shoe, photos photo, \
            videos video, radios radio, keys key, days day, cities city, companies company, policies policy, users user, \
            invoices invoice, devices device, services service, prices price, menus menu, sub_menus sub_menu, olives olive, faxes fax, skus sku, \
            viruses virus, campuses campus, bonuses bonus, gps gps, apis api, urls url, vms vm, pcs pc, canvas canvas, \
            canvases canvas, access access, address address, process process, expenses expense, responses response, \
            horses horse, releases release, purchases purchase, exercises exercise, franchises franchise, vases vase, \
            noses nose, clauses clause, causes cause, pauses pause, excuses excuse, uses use, ties tie, zombies zombie, \
            calories calorie, user_aliases user_alias, data data, media media, fuses fuse, status status, bus bus, \
            matches match, classes class, spouses spouse, radiuses radius, basis basis, business business";
        for pair in pairs.split(", ") {
            let (many, one) = pair.trim().split_once(' ').unwrap();
            assert_eq!(singular(many), one, "{many}");
            assert_eq!(singular(one), one, "the singular of a singular");
        }
    }
}
