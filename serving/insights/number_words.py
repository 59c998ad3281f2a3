"""German words for the shared numbers: what each of them is, the stages of leads, and the alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.insights.tables import Words, told
from training.number_figures import DEFINITIONS
from training.periods import Period

if TYPE_CHECKING:  # which would import what no view needs
    from training.experiments import Reading
    from training.monitor.alarm import Alarm

GERMAN_DEFINITIONS: dict[str, Words] = {
    "period": ("Zeitraum", "ganze Tage in UTC, der erste und der letzte eingeschlossen; der Zeitraum davor ist gleich lang und "
               "endet, wo dieser beginnt"),
    "source": ("Quelle", "ein Besuch hat seinen eigenen Kanal und seine eigene Kampagne, ein Besucher die seines ersten Besuchs "
               "im Zeitraum, ein Lead die seines ersten Besuchs, wenn dieser begann, bevor er ein Lead war"),
    "visitors": ("Besucher", "Menschen mit einem Besuch, der im Zeitraum begann; jeder zählt einmal, auf wie vielen Geräten auch "
                 "immer"),
    "bounce rate": ("Absprungrate", "Besuche mit einem Seitenaufruf ohne Formular, Download oder andere Handlung, von allen "
                    "Besuchen"),
    "lead rate": ("Lead-Quote", "Besucher, die im Zeitraum zu Leads wurden, von denen, die bei ihrem ersten Besuch darin noch "
                  "keine waren"),
    "leads": ("Leads", "Leads, die im Zeitraum angelegt wurden, auch die ohne einen Besuch"),
    "ready at first contact": ("Reif beim ersten Kontakt", "Leads, die nach den geltenden Punkten (und der Wahrscheinlichkeit, wo "
                               "sie eine verlangen und ein Modell sie nennt) beim ersten Blick vertriebsreif waren, von allen, auf "
                               "die geblickt wurde"),
    "MQL": ("MQL", "Leads, die im Zeitraum zum ersten Mal die MQL-Bedingung der Punkte erfüllten, bei wöchentlichem Blick; eine "
            "Bedingung an die Wahrscheinlichkeit gilt als erfüllt"),
    "accepted": ("Angenommen", "Leads, die der Vertrieb im Zeitraum zum ersten Mal annahm"),
    "won": ("Gewonnen", "Leads, deren erstes Geschäft, das nicht in seiner Frist storniert wurde, im Zeitraum geschlossen wurde"),
    "cancelled": ("Storniert", "Leads mit einem ersten Geschäft, das im Zeitraum geschlossen und in seiner Frist storniert wurde"),
    "conversion": ("Konversion", "von den Leads, die im Zeitraum angelegt wurden, beim Blick offen waren und deren Antwort "
                   "endgültig ist: im Horizont danach gewonnen"),
    "lead-to-customer time": ("Zeit vom Lead zum Kunden", "Tage vom Anlegen bis zum Geschäft, von den im Zeitraum gewonnenen "
                              "Leads: Quartile"),
    "expected customers": ("Erwartete Kunden", "Summe der Wahrscheinlichkeiten der Leads, die im Zeitraum angelegt wurden, bei "
                           "ihrem Blick"),
    "reconciled": ("Abgeglichen", "erwartet gegen gewonnen, von den Leads, deren Antwort endgültig ist; die Spanne ist, wohin der "
                   "Zufall allein die Zahl der gewonnenen führt"),
    "spend": ("Ausgaben", "was an den Tagen des Zeitraums ausgegeben wurde, nach den Aufzeichnungen der Ausgaben"),
    "cost": ("Kosten", "Ausgaben je Lead und je erwartetem Kunden"),
    "rising": ("Steigend", "Menschen, die einen Inhalt im Zeitraum sahen, im Verhältnis zu denen davor, über die Änderung aller "
               "Menschen hinaus; behauptet bei einer Falschentdeckungsrate von 5 %"),
    "quiet": ("Still", "offene Leads, deren letzte Mail, letzter Anruf oder andere Ansprache von uns so viele Tage her ist oder die "
              "nie eine hatten"),
}  # fmt: skip


def definitions() -> list[dict[str, Words]]:
    """Name and meaning of each number, (English, German)."""
    german = GERMAN_DEFINITIONS
    return [{"name": (n, german[n][0]), "means": (text, german[n][1])} for n, text in DEFINITIONS.items()]


def period_words(period: Period) -> Words:
    """Such as `2026-03-01 to 2026-03-28`."""
    return period.text, period.text.replace(" to ", " bis ")


def reading_words(reading: Reading) -> Words:
    """Why an experiment says what it says."""
    control, treatment = (told(n, "count", "de") for n in reading.people)
    german = {
        "Arms are not even": f"Die Arme sind ungleich groß: {control} zu {treatment} Menschen. Menschen eines Arms gehen "
        "verloren, durch Seite, Tracker oder Filter: Ursache finden, beheben und neu planen.",
        "The arms differed before": "Die Arme unterschieden sich, bevor etwas geändert wurde (A/A-Probe): was sie jetzt zeigen, "
        "ist nicht die Änderung. Unter anderem Namen neu planen.",
        "The page gave": "Die Seite gab zu vielen einen anderen Arm als der Hash. Das Skript des Plans verwenden, mit der "
        "Kennung, die der Tracker sendet, und neu planen.",
        "Answers are final on": f"Endgültig ab {reading.why[21:31]}; bis dahin wird nichts gesagt.",
        "An arm has fewer": "Ein Arm hat zu wenige Menschen; von so wenigen wird nichts gesagt.",
        "Halves, alike before": "Gleich große Arme, vorher gleich, ausgereift.",
    }
    return reading.why, next((words for start, words in german.items() if reading.why.startswith(start)), reading.why)


def alarm_words(alarm: Alarm, period: Period) -> Words:
    """The sentence of the alarm "volume up, quality down"."""
    n = alarm.numbers
    leads, before = (told(n[name], "count", "de") for name in ("leads", "leads_before"))
    mean, mean_before = (told(n[name], "share", "de") for name in ("mean", "mean_before"))
    german = (
        f"mehr Menge, weniger Güte: {alarm.source} brachte {leads} Leads in den {period.days} Tagen seit "
        f"{period.document()['from']} gegen {before} davor, und {mean} davon werden voraussichtlich Kunden gegen {mean_before}: "
        "ansehen, worauf es zielt und auf welche Seite es führt, bevor mehr dafür ausgegeben wird"
    )
    return alarm.sentence, german
