"""The embedded acceptability corpus: minimal pairs of English sentences from a small grammar.

In a template of `PHENOMENA`, `{class}` is a word of that class in `LEXICON` and `{class.form}` an
inflected form of it; `{class2}` is another word of the same class, and no word fills two slots;
`[good|bad]` is the difference between the pair's sentences.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

# Twelve phenomena, two sentences per pair: 2,400 sentences for train, 408 for validation and 408
# for test.
PAIRS_PER_PHENOMENON = {"train": 100, "validation": 17, "test": 17}

# Words after the bar are held out: they occur in validation and test only. The transitive verbs
# (regard, action) cannot drop their object, and the intransitive ones cannot take one.
LEXICON = {
    "name": "Anna Boris Carla David Elena Frank Grace Henry Irene Jacob Karen Louis Maria Nathan"
    " Olivia Peter | Quentin Rosa Stefan Teresa Ulrich Wanda",
    "person": "artist baker carpenter doctor engineer farmer gardener hunter inspector judge"
    " lawyer miner nurse painter plumber reporter sailor student tailor teacher tourist writer"
    " | archer barber dentist jeweler surgeon violinist",
    "man": "king prince monk boy waiter wizard gentleman salesman | duke landlord schoolboy",
    "woman": "queen princess nun girl waitress witch lady saleswoman | duchess landlady schoolgirl",
    "brother": "brother father uncle | grandfather nephew",
    "sister": "aunt mother sister | grandmother niece",
    "thing": "basket bench bicycle cabinet carpet chair clock desk ladder lamp mirror piano sofa"
    " statue table trunk vase | cradle harp lantern telescope wagon",
    "stuff": "dust flour furniture luggage smoke sugar | gravel jewelry",
    "place": "attic barn cellar courtyard garden kitchen library museum park village workshop"
    " | chapel hallway orchard",
    "mood": "cheerful famous hungry lonely nervous polite stubborn tired | anxious brave grumpy",
    "quality": "beautiful dusty expensive heavy large old small strange ugly"
    " | elegant fragile shabby",
    "adverb": "carefully quickly quietly secretly slowly | eagerly hastily",
    "regard": "admire blame comfort congratulate despise embarrass flatter insult punish respect"
    " ridicule thank | accuse adore betray pity",
    "action": "abandon acquire confiscate damage discard dismantle fix remove repair replace"
    " restore retrieve ruin | demolish destroy obtain salvage",
    "intransitive": "arrive blush cough faint giggle hesitate laugh shiver sleep smile sneeze"
    " tremble yawn | sigh snore weep",
    "look": "frown laugh shout sneer stare wave yell | glare jeer wink",  # look at somebody
    "give": "give hand lend offer send show | bring sell",
    "describe": "describe display mention reveal | demonstrate exhibit",  # no double object
    "claim": "believe claim say suspect think | assume conclude",
    "complain": "complain hope insist joke | exclaim grumble",  # that-clause, no object
    "know": "discover forget know learn notice remember | guess recall",
    "decide": "agree decide hope refuse volunteer vow | pretend wish",  # control, not raising
    "persuade": "convince encourage force persuade teach tell | invite remind",
    "expect": "believe expect want",
    "seem": "appear happen seem",
    "hear": "believe hear",
    "rumor": "claim rumor story | allegation",
    "meet": "film find see spot visit",
    "find": "buy find see",
    "amuse": "amuse annoy bore surprise",
    "pick": "lift pick tie",
    "modal": "can could might must should will",
    "pronoun": "he she they we",
    "he": "he she",
    "it": "it them",
    "one": "each every that this",
    "many": "both many several these those two",
    "some": "many several some three two",
    "most": "both most",
    "near": "behind beside near",
    "when": "after because before when",
    "which": "which whose",
    "where": "when where why",
}
IRREGULAR = {
    "gentleman.pl": "gentlemen", "salesman.pl": "salesmen", "saleswoman.pl": "saleswomen",
    "sleep.past": "slept", "sleep.part": "slept", "weep.past": "wept", "weep.part": "wept",
    "give.past": "gave", "give.part": "given", "lend.past": "lent", "lend.part": "lent",
    "send.past": "sent", "send.part": "sent", "show.part": "shown", "bring.past": "brought",
    "bring.part": "brought", "sell.past": "sold", "sell.part": "sold", "say.past": "said",
    "think.past": "thought", "forget.past": "forgot", "know.past": "knew", "teach.past": "taught",
    "tell.past": "told",
    "he.obj": "him", "she.obj": "her", "they.obj": "them", "we.obj": "us",
    "he.poss": "his", "she.poss": "her",
}  # fmt: skip
FORMS = ("pl", "s", "past", "part", "ing")

SLOT = re.compile(r"\{(?P<slot>(?P<word_class>[a-z]+)\d?)(?:\.(?P<form>[a-z]+))?\}")
ALTERNATIVES = re.compile(r"\[([^|\]]*)\|([^\]]*)\]")


@dataclass(frozen=True)
class Sentence:
    """One sentence, its label (1 acceptable, 0 unacceptable) and the phenomenon it tests."""

    text: str
    label: int
    phenomenon: str


# The templates of each phenomenon.
PHENOMENA = {
    # A verb agrees with its subject, whatever noun stands in between.
    "subject_verb_agreement": (
        "The {person} [{regard.s}|{regard}] {name}.",
        "The {person.pl} [{regard}|{regard.s}] {name}.",
        "The {person} {near} the {person2.pl} [{regard.s}|{regard}] {name}.",
        "The {person.pl} {near} the {person2} [are|is] {mood}.",
        "The {person} that the {person2.pl} {regard} [is|are] {mood}.",
        "The {thing} {near} the {thing2.pl} [was|were] {quality}.",
        "The {thing.pl} in the {place} [were|was] {quality}.",
    ),
    # A reflexive agrees in gender and number with the subject of its own clause.
    "reflexive_agreement": (
        "The {man} {regard.past} [himself|herself].",
        "The {woman} {regard.past} [herself|himself].",
        "The {man.pl} {regard.past} [themselves|himself].",
        "The {woman.pl} {regard.past} [themselves|herself].",
        "The {woman.pl} {claim.past} that the {man} {regard.past} [himself|themselves].",
        "The {man.pl} {claim.past} that the {woman} {regard.past} [herself|themselves].",
        "The {woman}'s {brother} {regard.past} [himself|herself].",
        "The {man}'s {sister} {regard.past} [herself|himself].",
    ),
    # A determiner agrees with its noun in number, and in being a mass or a count noun.
    "determiner_noun_agreement": (
        "{name} {action.past} {one} [{thing}|{thing.pl}].",
        "{name} {action.past} {many} [{thing.pl}|{thing}].",
        "{name} {action.past} [{one}|{many}] {quality} {thing}.",
        "{name} {action.past} [{many}|{one}] {quality} {thing.pl}.",
        "{one} {mood} [{person}|{person.pl}] {intransitive.past}.",
        "{many} {mood} [{person.pl}|{person}] {intransitive.past}.",
        "There was too [much|many] {stuff} in the {place}.",
        "There were too [many|much] {thing.pl} in the {place}.",
    ),
    # No question word leaves an adjunct, a coordination, its own noun, or most noun phrases.
    "islands": (
        "What did {name} {action} [{when} the {person} {action2.past} the {thing}"
        "|the {thing} {when} the {person} {action2.past}]?",
        "What did {name} {hear} [that|the {rumor} that] the {person} {action.past}?",
        "What did {name} believe [that the {person}|the {person} that] {action.past}?",
        "Who did {name} {meet} the {person} [with|and]?",
        "{which} [{thing} did {name} {action}|did {name} {action} {thing}]?",
        "Which {person} did [{name} {find} a picture of|a picture of {amuse} {name}]?",
    ),
    # A verb takes the objects, places and clauses that it selects, and no other.
    "argument_structure": (
        "The {person} [{intransitive.past}|{regard.past}] in the {place}.",
        "The {person} [{regard.past}|{intransitive.past}] {name} in the {place}.",
        "The {person} [{action.past}|{complain.past}] the {thing}.",
        "The {person} [{complain.past}|{action.past}] that {name} had {intransitive.part}.",
        "{name} [{give.past}|{describe.past}] the {person} the {thing}.",
        "{name} {describe.past} [the {thing} to the {person}|the {person} the {thing}].",
        "The {person} put the {thing} in the [{place}|morning].",
    ),
    # The words of a phrase, and the phrases of a clause, have a fixed order.
    "word_order": (
        "The [{mood} {person}|{person} {mood}] {regard.past} {name}.",
        "{name} [{adverb} {action.past}|{action.past} {adverb}] the {thing}.",
        "{where} [did {name}|{name} did] {action} the {thing}?",
        "Will [{name} {action}|{action} {name}] the {thing}?",
        "The {person} [did not|not did] {action} the {thing}.",
        "The {person} {action.past} a [very {quality}|{quality} very] {thing}.",
        "The {person} {pick.past} [{it} up|up {it}] in the {place}.",
        "[All the|The all] {thing.pl} in the {place} were {quality}.",
    ),
    # An auxiliary decides the form of the verb after it.
    "verb_form": (
        "The {person} has [{action.part}|{action}] the {thing}.",
        "The {person.pl} have [{action.part}|{action.ing}] the {thing}.",
        "{name} is [{action.ing}|{action}] the {thing}.",
        "The {person} {modal} [{action}|{action.past}] the {thing}.",
        "The {person} {modal} [{action}|to {action}] the {thing}.",
        "The {person} did not [{action}|{action.past}] the {thing}.",
        "Did {name} [{action}|{action.ing}] the {thing}?",
    ),
    # Ever, any and yet stand in the scope of a negation, a question, if or few.
    "negative_polarity": (
        "[No|The] {person} has ever {action.part} the {thing}.",
        "[No {person} that the|The {person} that no] {person2} {regard.s} has ever"
        " {intransitive.part}.",
        "[Nobody|Somebody] has ever {action.part} the {thing}.",
        "[Few|Most] {person.pl} have ever {action.part} the {thing}.",
        "{name} [never|often] {regard.past} any {person.pl}.",
        "The {person} has [not|already] {intransitive.part} yet.",
        "[Has {name}|{name} has] ever {action.part} a {thing}[?|.]",
        "[If|Because] {name} ever {action.s} the {thing}, the {person} will {intransitive}.",
    ),
    # Subjects of finite clauses are nominative, objects accusative, possessors genitive.
    "pronoun_case": (
        "[{pronoun}|{pronoun.obj}] {regard.past} {name}.",
        "Did [{pronoun}|{pronoun.obj}] {action} the {thing}?",
        "{name} {claim.past} that [{pronoun}|{pronoun.obj}] had {intransitive.part}.",
        "The {person} {regard.past} [{pronoun.obj}|{pronoun}].",
        "The {person} {look.past} at [{pronoun.obj}|{pronoun}] in the {place}.",
        "{name} {persuade.past} [{pronoun.obj}|{pronoun}] to {action} the {thing}.",
        "{name} {action.past} [{he.poss}|{he}] {thing}.",
    ),
    # A question word or relative needs one gap, and a gap needs one of them.
    "filler_gap": (
        "{name} {know.past} [that|what] the {person} {action.past} the {thing}.",
        "{name} {know.past} [what|that] the {person} {action.past}.",
        "{name} wondered [whether|who] the {person} {regard.past} {name2}.",
        "{name} wondered [who|whether] the {person} {regard.past}.",
        "{name} {know.past} who [|the {person}] {action.past} the {thing}.",
        "[Did|What did] {name} {action} the {thing} in the {place}?",
        "[What did|Did] {name} {action} in the {place}?",
        "The {thing} that {name} {action.past} [|it] was {quality}.",
    ),
    # Only a verb, or a verb with its preposition, that has an object to give up is passivized.
    "passive": (
        "The {person} was {look.part} [at by|by] {name}.",
        "The {person} was {regard.part} [by|at by] {name}.",
        "The {person} was [{regard.part}|{intransitive.part}] by {name}.",
        "The {thing} was [{action.part}|{action.ing}] by the {person}.",
        "The {thing} [was|has] {action.part} by the {person}.",
        "{name} [|was] {action.past} the {thing}.",
        "The {person} was [{give.part}|{describe.part}] the {thing}.",
    ),
    # There takes an indefinite and a raising verb, not a strong quantifier or a control verb.
    "existential_there": (
        "There was [a|every] {thing} in the {place}.",
        "There were [{some}|{most}] {thing.pl} in the {place}.",
        "[Every {thing} was|There was every {thing}] in the {place}.",
        "[{most} {thing.pl} were|There were {most} {thing.pl}] in the {place}.",
        "There [{seem.past}|{decide.past}] to be a {thing} in the {place}.",
        "{name} [{expect.past}|{persuade.past}] there to be a {thing} in the {place}.",
        "There [was a {person} {action.ing}|{action.past} a {person}] the {thing}.",
    ),
}


def inflect(word: str, form: str) -> str:
    """Return a form of a word: one of `FORMS`, or a pronoun's form listed in `IRREGULAR`."""
    if f"{word}.{form}" in IRREGULAR:
        return IRREGULAR[f"{word}.{form}"]
    if form == "ing":
        return word.removesuffix("e") + "ing"
    stem = re.sub(r"(?<=[^aeiou])y$", "ie", word)
    if form in ("pl", "s"):
        return stem + ("es" if re.search(r"(s|x|ch|sh)$", stem) else "s")
    return stem.removesuffix("e") + "ed"


ALL_WORDS = {key: words.replace("|", " ").split() for key, words in LEXICON.items()}
TRAINING_WORDS = {key: words.partition("|")[0].split() for key, words in LEXICON.items()}
# In lower case and in every form; some forms, such as the plural of a verb, never occur.
HELD_OUT = frozenset(
    form.lower()
    for word_class, words in ALL_WORDS.items()
    for word in words
    if word not in TRAINING_WORDS[word_class]
    for form in (word, *(inflect(word, form) for form in FORMS))
)


def _choose(random: Random, items: Sequence[str]) -> str:
    # random() is the only method whose sequence Python guarantees across versions.
    return items[int(random.random() * len(items))]


def _write(text: str) -> str:
    """Return a filled template as a sentence: single spaces, "a" or "an", a capital letter."""
    text = re.sub(r" ([.?])", r"\1", " ".join(text.split()))
    text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
    return text[0].upper() + text[1:]


def _draw_pair(
    random: Random, words: dict[str, list[str]], templates: Sequence[str]
) -> tuple[str, str]:
    """Return an acceptable and an unacceptable sentence made from one of the templates."""
    chosen: dict[str, str] = {}

    def fill(match: re.Match[str]) -> str:
        slot, word_class, form = match.group("slot", "word_class", "form")
        if slot not in chosen:
            unused = [word for word in words[word_class] if word not in chosen.values()]
            chosen[slot] = _choose(random, unused)
        return inflect(chosen[slot], form) if form else chosen[slot]

    text = SLOT.sub(fill, _choose(random, templates))
    return _write(ALTERNATIVES.sub(r"\1", text)), _write(ALTERNATIVES.sub(r"\2", text))


def _has_held_out_word(text: str) -> bool:
    return not HELD_OUT.isdisjoint(re.findall("[a-z]+", text.lower()))


def generate(seed: int = 0) -> dict[str, list[Sentence]]:
    """Return the corpus: the sentences of the splits train, validation and test.

    The two sentences of a pair are adjacent, the acceptable one first; the phenomena alternate.
    No sentence occurs twice in the corpus. Every validation and test sentence contains a word that
    no training sentence contains.

    Args:
        seed: the random seed; the same seed gives the same corpus on every machine.
    """
    random = Random(seed)
    taken: set[str] = set()
    splits: dict[str, list[Sentence]] = {}
    for split, count in PAIRS_PER_PHENOMENON.items():
        training = split == "train"
        words = TRAINING_WORDS if training else ALL_WORDS
        splits[split] = []
        for phenomenon, templates in [*PHENOMENA.items()] * count:
            while True:
                good, bad = pair = _draw_pair(random, words, templates)
                held_out = training or all(map(_has_held_out_word, pair))
                if held_out and taken.isdisjoint(pair):
                    break
            taken.update(pair)
            splits[split].append(Sentence(good, 1, phenomenon))
            splits[split].append(Sentence(bad, 0, phenomenon))
    return splits
