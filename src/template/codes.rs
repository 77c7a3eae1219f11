//! Codes with standardised spelling: languages, countries, currencies.

/// Two-letter language codes of ISO 639-1, limited to languages with many sites.
const LANGUAGES: &str = "ar bg bn bs ca cs cy da de el en es et eu fa fi fr ga gl he hi hr hu hy id is it ja ka kk ko lt lv \
                         mk ms mt nb nl nn no pl pt ro ru sk sl sq sr sv sw ta te th tr uk ur uz vi zh";

/// Two-letter country codes of ISO 3166-1 alpha-2.
const COUNTRIES: &str = "ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt bv \
                         bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es \
                         et fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie \
                         il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly \
                         ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu \
                         nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm \
                         sn so sr ss st sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk um us uy uz va vc \
                         ve vg vi vn vu wf ws ye yt za zm zw";

/// Three-letter currency codes of ISO 4217, limited to the most traded ones (BIS survey of 2022,
/// table 5).
const CURRENCIES: &str = "aed ars aud bgn brl btc cad chf clp cny cop czk dkk egp eth eur gbp hkd huf idr ils inr isk jpy krw \
                          kwd mad mxn myr ngn nok nzd pen php pln qar ron rub sar sek sgd thb try twd uah usd vnd zar";

/// Codes that are words as well, and so are not evidence that their siblings are codes.
const WORDS: &str =
    "ad ai am as at be by do fm id im in io is it me my no php pm ps so sh to try tv us ws";

/// Returns `true` for a code that is a word as well: `/me`, `/my` and `/us` of an API are not countries.
pub(crate) fn is_word(text: &[u8]) -> bool {
    has(WORDS, text)
}

/// The lists, in the order of [`PARAMETERS`].
const LISTS: [&str; 3] = [LANGUAGES, COUNTRIES, CURRENCIES];

/// Names of parameters with codes of the three lists.
const PARAMETERS: [&str; 3] = ["locale", "country", "currency"];

/// Returns the indexes of the codes among some texts, for each of the lists.
pub(crate) fn members(texts: &[&[u8]]) -> [Vec<usize>; 3] {
    LISTS.map(|list| {
        // Languages are written in lower case.
        let may_be = |text: &[u8]| list != LANGUAGES || text.iter().all(u8::is_ascii_lowercase);
        let is_in = |text: &[u8]| matches!(text.len(), 2 | 3) && may_be(text) && has(list, text);
        (0..texts.len()).filter(|number| is_in(texts[*number])).collect()
    })
}

fn has(list: &str, text: &[u8]) -> bool {
    list.split_ascii_whitespace().any(|known| known.as_bytes().eq_ignore_ascii_case(text))
}

/// Returns `true` if all texts are codes of a list.
fn are_all_in(list: usize, texts: &[&[u8]]) -> bool {
    texts.iter().all(|text| has(LISTS[list], text))
}

/// Returns the list of an earlier parameter, `currency` or `from_currency`, that all of some texts belong to.
pub(crate) fn list_of_second<'p>(
    mut earlier: impl Iterator<Item = &'p str>,
    texts: &[&[u8]],
) -> Option<&'static str> {
    earlier.find_map(|name| {
        let list = name.strip_prefix("from_").unwrap_or(name);
        let at = PARAMETERS.iter().position(|known| *known == list)?;
        (!texts.is_empty() && are_all_in(at, texts)).then_some(PARAMETERS[at])
    })
}

/// Returns the parameter name for values that are all codes of one list. `None` for fewer than two values.
pub(crate) fn name_of(texts: &[&[u8]]) -> Option<&'static str> {
    if texts.len() < 2 {
        return None;
    }
    // Languages are written in lower case.
    let are_lower = texts.iter().all(|text| text.iter().all(u8::is_ascii_lowercase));
    let may_be = |list: &usize| LISTS[*list] != LANGUAGES || are_lower;
    (0..LISTS.len())
        .filter(may_be)
        .find(|list| are_all_in(*list, texts))
        .map(|list| PARAMETERS[list])
}
