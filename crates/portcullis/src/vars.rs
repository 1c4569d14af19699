//! Environment variables that begin with `PORTCULLIS_`, and what is wrong with them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

pub(crate) struct Vars {
    left: BTreeMap<String, String>,
    pub(crate) mistakes: Vec<String>,
}

impl Vars {
    pub(crate) fn new(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut ours = Self { left: BTreeMap::new(), mistakes: Vec::new() };
        for (name, value) in vars {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("PORTCULLIS_") && !value.is_empty() {
                match value.into_string() {
                    Ok(value) => drop(ours.left.insert(name, value)),
                    Err(_) => ours.mistakes.push(format!("{name}: its value is not text in UTF-8")),
                }
            }
        }
        ours
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.left.remove(name)
    }

    pub(crate) fn value<T: FromStr + Display>(&mut self, name: &str, value: &mut T) {
        let example = value.to_string();
        match self.take(name).map(|text| text.parse()) {
            None => {}
            Some(Ok(given)) => *value = given,
            Some(Err(_)) => self.mistakes.push(format!("{name}: must be a whole number, such as {example}")),
        }
    }

    pub(crate) fn list(&mut self, name: &str, value: &mut Vec<String>) {
        if let Some(list) = self.take(name) {
            *value = list.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect();
        }
    }

    pub(crate) fn seconds(&mut self, name: &str, value: &mut Duration) {
        let mut seconds = value.as_secs();
        self.value(name, &mut seconds);
        *value = Duration::from_secs(seconds);
    }

    pub(crate) fn choice<T: Copy>(&mut self, name: &str, value: &mut T, choices: &[(&str, T)]) {
        let Some(text) = self.take(name) else { return };
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, choice)) => *value = *choice,
            None => {
                let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                self.mistakes.push(format!("{name}: must be one of {}", words.join(", ")));
            }
        }
    }

    /// What was wrong so far, and the names that nobody asked for.
    pub(crate) fn mistakes_and_strangers(self) -> Vec<String> {
        let strangers = self.left.into_keys().map(|name| format!("{name}: there is no such variable"));
        self.mistakes.into_iter().chain(strangers).collect()
    }
}
