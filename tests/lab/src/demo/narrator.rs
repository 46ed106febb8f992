//! Tells the story: to people in lines and a table, to machines in JSON lines.

use std::{fmt::Write, time::Instant};

use serde_json::{Value, json};

use super::{
    stage::Stage,
    summary::{Step, Summary},
};

/// Speaks on standard output.
pub(super) struct Narrator {
    json: bool,
    colour: bool,
    started: Instant,
}

#[derive(Clone, Copy)]
enum Ink {
    Bold,
    Dim,
    Green,
    Red,
}

impl Narrator {
    pub(super) fn new(json: bool, colour: bool) -> Self {
        Self { json, colour: colour && !json, started: Instant::now() }
    }

    /// Times count from now: building is no part of the story.
    pub(super) fn restart_clock(&mut self) {
        self.started = Instant::now();
    }

    /// The next step begins.
    pub(super) fn step(&mut self, letter: char, title: &str) {
        if self.json {
            self.event("step", json!({ "step": letter, "title": title }));
        } else {
            println!("\n{}", self.ink(Ink::Bold, &format!("({letter}) {title}")));
        }
    }

    /// Something that the demo does to the box.
    pub(super) fn action(&mut self, text: &str) {
        self.line("action", "do ", text);
    }

    /// Something that was seen.
    pub(super) fn observation(&mut self, text: &str) {
        self.line("observation", "see", text);
    }

    /// Something else worth saying.
    pub(super) fn note(&mut self, text: &str) {
        self.line("note", "   ", text);
    }

    /// Something went wrong.
    pub(super) fn failure(&mut self, text: &str) {
        if self.json {
            self.event("failure", json!({ "text": text }));
        } else {
            println!("{}", self.ink(Ink::Red, text));
        }
    }

    /// What the box looks like and how to get in.
    pub(super) fn picture(&mut self, stage: &Stage) {
        let enter = format!("nsenter --net={}", stage.branch.router().path());
        if self.json {
            self.event("ready", json!({ "router": enter, "config": stage.agent.config() }));
            return;
        }
        println!("{}", self.ink(Ink::Dim, PICTURE));
        self.note(&format!("look around in the branch router with: {enter} ip route show table 7700"));
    }

    /// A step is over.
    pub(super) fn result(&mut self, step: &Step) {
        if self.json {
            self.event("result", json!(step));
            return;
        }
        let (ink, word) = if step.ok { (Ink::Green, "ok") } else { (Ink::Red, "FAILED") };
        println!("          {}", self.ink(ink, &format!("{word} after {:.1} s", step.seconds)));
        if let Some(failure) = &step.failure {
            println!("          {}", self.ink(Ink::Red, failure));
        }
    }

    /// The end.
    pub(super) fn summary(&mut self, summary: &Summary) {
        if self.json {
            self.event("summary", json!(summary));
            return;
        }
        println!("\n{}", self.ink(Ink::Bold, "Summary"));
        println!("{}", table(summary));
        let (ink, word) = if summary.ok {
            (Ink::Green, "every step did what it should")
        } else {
            (Ink::Red, "not every step did what it should")
        };
        println!("{} ({:.1} s)", self.ink(ink, word), summary.seconds);
    }

    fn line(&mut self, event: &str, label: &str, text: &str) {
        if self.json {
            self.event(event, json!({ "text": text }));
        } else {
            let time = format!("{:6.1} s", self.started.elapsed().as_secs_f64());
            println!("{} {} {text}", self.ink(Ink::Dim, &time), self.ink(Ink::Dim, label));
        }
    }

    /// One line of JSON: the event's name and time, and its data beside them.
    fn event(&mut self, event: &str, data: Value) {
        let mut object =
            json!({ "event": event, "at_s": (self.started.elapsed().as_secs_f64() * 1e3).round() / 1e3 });
        if let (Value::Object(object), Value::Object(data)) = (&mut object, data) {
            object.extend(data);
        }
        println!("{object}");
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Bold => 1,
            Ink::Dim => 2,
            Ink::Green => 32,
            Ink::Red => 31,
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

const PICTURE: &str = "
   client ─ lan0 ┐          ┌ wan0 ─ north (preferred) ┐
                 ├─ branch ─┤                          ├─ path emulator ─ Microsoft edge, internet
   collector ────┘          └ wan1 ─ south (default)   ┘
";

fn table(summary: &Summary) -> String {
    let mut text = format!("  {:<52} {:>6} {:>9} {:>6}  {:<6} {}\n", "step", "time", "gap", "lost", "by", "result");
    for step in &summary.steps {
        let title = format!("({}) {}", step.letter, step.title);
        let gap = step.gap_ms.map_or("-".to_owned(), |gap| format!("{gap:.1} ms"));
        let lost = step.lost_packets.map_or("-".to_owned(), |lost| lost.to_string());
        let path = step.path.as_deref().unwrap_or("-");
        let result = if step.ok { "ok" } else { "FAILED" };
        // Writing into a string does not fail.
        let _ = writeln!(text, "  {title:<58} {:>4.1} s {gap:>9} {lost:>6}  {path:<6} {result}", step.seconds);
    }
    let figure = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1} ms"));
    let count = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
    let figures = [
        ("client's gap, carrier cut", figure(summary.carrier_gap_ms)),
        ("client's gap, silent black hole", figure(summary.blackhole_gap_ms)),
        ("client's gap, carrier cut while the agent is dead", figure(summary.dead_agent_gap_ms)),
        ("packets lost over kill -9 and restart", count(summary.restart_lost_packets)),
        ("samples that the collector holds", count(summary.samples_reported)),
    ];
    text.push('\n');
    for (name, value) in figures {
        let _ = writeln!(text, "  {name:<58} {value:>9}");
    }
    text
}
