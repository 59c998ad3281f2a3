"""Every text of the page that is no table's, English and German."""

from __future__ import annotations

from serving.insights.tables import Words

VIEWS: dict[str, Words] = {
    "overview": ("Overview", "Überblick"),
    "paths": ("Paths", "Pfade"),
    "content": ("Content", "Inhalte"),
    "sources": ("Sources", "Quellen"),
    "model": ("Model and points", "Modell und Punkte"),
    "experiments": ("Experiments", "Experimente"),
}
LEADS_TO: dict[str, Words] = {
    "won": ("customers", "Kunden"),
    "accepted": ("accepted by sales", "vom Vertrieb angenommen"),
    "mql": ("marketing-qualified", "marketingqualifiziert (MQL)"),
    "lead": ("leads (of visitors)", "Leads (aus Besuchern)"),
    "cancelled": ("cancellations", "Stornos"),
}
BY: dict[str, Words] = {
    "type": ("type of content", "Art des Inhalts"),
    "content": ("single content", "einzelnem Inhalt"),
    "topic": ("topic", "Thema"),
    "stage": ("stage", "Phase"),
}
ATTRIBUTE: dict[str, Words] = {
    "industry": ("Industry", "Branche"),
    "country": ("Country", "Land"),
    "employees": ("Employees", "Beschäftigte"),
}
CONTENT_STAGES = {"awareness": "Aufmerksamkeit", "consideration": "Abwägung", "decision": "Entscheidung"}
WORDS: dict[str, Words] = {
    "title": ("Which content converts", "Welche Inhalte konvertieren"),
    "skip": ("Skip to the content", "Zum Inhalt springen"),
    "views": ("Views", "Ansichten"),
    "filters": ("What is looked at", "Was betrachtet wird"),
    "target": ("Leads to", "Führt zu"),
    "from": ("From", "Von"),
    "to": ("To", "Bis"),
    "channel": ("First channel", "Erster Kanal"),
    "segment": ("Segment", "Segment"),
    "all": ("All", "Alle"),
    "first": ("Beginning", "Anfang"),
    "last": ("End", "Ende"),
    "by": ("Paths by", "Pfade nach"),
    "direction": ("Flow", "Fluss"),
    "backward": ("backward from the conversion", "rückwärts vom Abschluss"),
    "forward": ("forward from a content", "vorwärts von einem Inhalt"),
    "page": ("Starting at", "Beginnend bei"),
    "apply": ("Show", "Anzeigen"),
    "reset": ("Everything", "Alles zeigen"),
    "language": ("Deutsch", "English"),
    "sign_out": ("Sign out", "Abmelden"),
    "print": ("Print", "Drucken"),
    "csv": ("Download as CSV", "Als CSV laden"),
    "sentences": ("Read as sentences", "Als Sätze lesen"),
    "audience": (
        "Download the leads on a path who have not converted (CSV; contact permission only)",
        "Leads auf einem Pfad laden, die noch nicht konvertiert haben (CSV; nur mit Kontakterlaubnis)",
    ),
    "audience_path": ("Path", "Pfad"),
    "audience_get": ("Download leads", "Leads laden"),
    "whole": (
        "Of all dates, channels and segments, whatever is chosen above.",
        "Über alle Zeiträume, Kanäle und Segmente, was auch immer oben gewählt ist.",
    ),
    "nothing": (
        "Fewer than 5 people whose answer is final: nothing is shown of them. Choose more.",
        "Weniger als 5 Menschen, deren Antwort endgültig ist: nichts wird von ihnen gezeigt. Bitte mehr auswählen.",
    ),
    "not_prepared": (
        "Nothing has been prepared for this page yet. Ask whoever runs Leadlift for: leadlift paths DATASET --publish",
        "Für diese Seite ist noch nichts vorbereitet. Wer Leadlift betreibt, führt aus: leadlift paths DATASET --publish",
    ),
    "no_rows": ("Nothing to show here yet.", "Hier gibt es noch nichts zu zeigen."),
    "through": ("Data through {data}, matured through {matured}.", "Daten bis {data}, gereift bis {matured}."),
    "how": (
        "Paths are what people had seen up to {landmark}; counted are conversions in the {days} days after it. Intervals are "
        "95 %. Associated with, not caused by.",
        "Pfade sind, was Menschen bis {landmark} gesehen hatten; gezählt werden Abschlüsse in den {days} Tagen danach. "
        "Intervalle: 95 %. Ein Zusammenhang, keine Ursache.",
    ),
    "people": ("People", "Menschen"),
    "conversions": ("Converted", "Konvertiert"),
    "rate": ("Rate", "Quote"),
    "cancelled": ("Cancelled", "Storniert"),
    "days": ("Median time to convert", "Median bis zum Abschluss"),
    "before": ("before: {value}", "davor: {value}"),
    "by_month": ("Month by month", "Monat für Monat"),
    "by_month_alt": ("People and conversion rate by month of their start.", "Menschen und Quote nach Monat ihres Beginns."),
    "best": ("Paths that stand out", "Pfade, die herausragen"),
    "none_stands_out": (
        "No path stands out beyond chance among these people.",
        "Kein Pfad ragt bei diesen Menschen über den Zufall hinaus.",
    ),
    "lifts": ("The best paths beside the average", "Die besten Pfade neben dem Durchschnitt"),
    "rates": ("Who converts, by first channel", "Wer konvertiert, nach erstem Kanal"),
    "ratios": ("Who saw it converts so many times as often", "Wer es sah, konvertiert so viel Mal so oft"),
    "more_rows": ("{shown} of {all} rows; the CSV has all.", "{shown} von {all} Zeilen; die CSV-Datei hat alle."),
    "more_phone": ("The first 10 rows; the CSV has all.", "Die ersten 10 Zeilen; die CSV-Datei hat alle."),
    "numbers": ("Show the numbers", "Zahlen zeigen"),
    "lift_axis": ("lift over all of these people", "Lift gegenüber allen diesen Menschen"),
    "paths_alt": ("Lift of each path with its 95 % interval.", "Lift jedes Pfades mit 95-%-Intervall."),
    "flow_alt": ("Flow of people from content to content; the table below has its numbers.",
                 "Fluss der Menschen von Inhalt zu Inhalt; die Tabelle darunter nennt die Zahlen."),
    "flow_title": ("How they got there", "Wie sie dorthin kamen"),
    "flow_forward": ("Where they went from {page}", "Wohin sie von {page} gingen"),
    "flow_note": (
        "The five most frequent contents of each step; flows of fewer than 5 people are not shown.",
        "Die fünf häufigsten Inhalte jedes Schritts; Flüsse von weniger als 5 Menschen sind nicht gezeigt.",
    ),
    "converted": ("converted", "konvertiert"),
    "begin": ("begins here", "beginnt hier"),
    "end": ("no further content", "kein weiterer Inhalt"),
    "others": ("others", "übrige"),
    "ratio_axis": ("times as often, all else equal", "mal so oft, bei sonst Gleichem"),
    "content_alt": ("Ratio of each content, all else equal.", "Verhältnis jedes Inhalts bei sonst Gleichem."),
    "sources_alt": ("Conversion rate of each channel.", "Quote jedes Kanals."),
    "heat_title": ("Channel by path: conversion rate", "Kanal und Pfad: Quote"),
    "heat_alt": ("Conversion rate by channel and path.", "Quote nach Kanal und Pfad."),
    "no_model": (
        "Nobody scored these people: a promoted model for this target is needed.",
        "Diese Menschen hat niemand bewertet: dazu braucht es ein freigegebenes Modell für dieses Ziel.",
    ),
    "held_out": (
        "Of {n} people that the model never learned from.", "Über {n} Menschen, aus denen das Modell nie gelernt hat.",
    ),
    "in_sample": (
        "The model has learned from these people, so it looks better here than it is; the promotion report judges it fairly.",
        "Aus diesen Menschen hat das Modell gelernt und sieht daher hier besser aus, als es ist; der Freigabebericht "
        "beurteilt es fair.",
    ),
    "reliability": ("Does 10 % mean 10 %?", "Heißt 10 % auch 10 %?"),
    "reliability_alt": ("Predicted against observed rates.", "Vorhergesagte gegen beobachtete Quoten."),
    "predicted": ("predicted probability", "vorhergesagte Wahrscheinlichkeit"),
    "observed": ("observed rate", "beobachtete Quote"),
    "perfect": ("perfect", "perfekt"),
    "capture": ("How many conversions are among the best?", "Wie viele Abschlüsse sind unter den Besten?"),
    "capture_alt": ("Share of conversions among the best share of people.", "Anteil der Abschlüsse unter den Besten."),
    "best_share": ("share of people, best first", "Anteil der Menschen, beste zuerst"),
    "among": ("conversions among them", "Abschlüsse darunter"),
    "chance": ("chance", "Zufall"),
    "model": ("model", "Modell"),
    "points": ("points", "Punkte"),
    "experiments_none": (
        "No hypotheses and no experiments yet. What stands out on the other views is a reason to try, not a proof: "
        "leadlift experiment plan tells how many people and weeks a fair test needs.",
        "Noch keine Hypothesen und keine Experimente. Was auf den anderen Ansichten herausragt, ist ein Anlass zu "
        "probieren, kein Beweis: leadlift experiment plan sagt, wie viele Menschen und Wochen ein fairer Test braucht.",
    ),
    "sign_in": ("Sign in", "Anmelden"),
    "key": ("Key", "Schlüssel"),
    "key_hint": (
        "The key you were given; it begins with leadlift_.",
        "Der Schlüssel, den Sie bekommen haben; er beginnt mit leadlift_.",
    ),
    "key_wrong": (
        "That key is not known, or it is not for this page.",
        "Dieser Schlüssel ist nicht bekannt oder gilt nicht für diese Seite.",
    ),
    "not_found": ("There is no such page.", "Diese Seite gibt es nicht."),
    "report": ("Report", "Bericht"),
}  # fmt: skip


def content_word(name: str, by: str, lang: str) -> str:
    """A content, type, topic or stage as people read it: stages alone have names of ours."""
    return CONTENT_STAGES.get(name, name) if by == "stage" and lang == "de" else name


def word(key: str, lang: str, **values: object) -> str:
    """A text by its key."""
    return WORDS[key][lang == "de"].format(**values) if values else WORDS[key][lang == "de"]
