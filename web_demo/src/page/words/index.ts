import { da } from "./da.ts";
import { en } from "./en.ts";
import { es } from "./es.ts";

export type Words = Record<keyof typeof en, string>;
export type Language = keyof typeof LANGUAGES;

export const LANGUAGES = { en, da, es } satisfies Record<string, Words>;

/** Returns the first of a person's languages that the page has; English where it has none. */
export function chooseLanguage(wanted: readonly string[]): Language {
  const short = wanted.map((tag) => tag.toLowerCase().split("-")[0] ?? "");
  return short.find((tag): tag is Language => tag in LANGUAGES) ?? "en";
}

/** Fills a sentence's gaps, `{0}` and on. */
export function fill(sentence: string, ...parts: readonly (string | number)[]): string {
  return sentence.replace(/\{(\d)\}/g, (gap, index) => `${parts[Number(index)] ?? gap}`);
}

/** Translates what a ModelSpec names, or gives the spec's own words where there is no translation. */
export function translate(words: Words, kind: "label" | "reason" | "hint", name: string, otherwise: string): string {
  return words[`${kind}_${name}` as keyof Words] ?? otherwise;
}
