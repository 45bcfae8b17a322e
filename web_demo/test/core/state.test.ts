import { expect, test } from "vitest";
import type { Verdict } from "../../src/core/verdict/decide.ts";
import { type Event, FIRST, reduce, type State } from "../../src/page/state.ts";
import { chooseLanguage, fill, LANGUAGES, translate } from "../../src/page/words/index.ts";

function assessed(check: number, retake: boolean): Event {
  const hint = { key: "blurry", text: "Hold still" };
  const findings = [{ name: "blurry", index: 0, probability: 0.9, given: retake, hint }];
  const verdict: Verdict = { label: "lesion", retake, probabilities: {}, findings, hints: [hint], votes: null };
  return { kind: "assessed", check, verdict, maps: true };
}

const follow = (state: State, ...events: Event[]): State => events.reduce(reduce, state);
const PHOTO: Event = { kind: "photo-came" };
const RETAKE: Event = { kind: "retake-pressed" };
const USE: Event = { kind: "use-pressed" };

test("a good photo is used", () => {
  const result = follow(FIRST, PHOTO, assessed(1, false));
  expect(result.screen).toMatchObject({ kind: "result", chosen: null });
  expect(reduce(result, USE).screen.kind).toBe("kept");
});

test("a poor photo shows its worst reason, and is sent anyway only after three retakes", () => {
  let state = follow(FIRST, PHOTO, assessed(1, true));
  expect(state.screen).toMatchObject({ kind: "result", chosen: "blurry" });
  for (let check = 2; check <= 4; check++) {
    expect(reduce(state, USE)).toBe(state);
    state = follow(state, RETAKE, PHOTO, assessed(check, true));
  }
  state = reduce(state, USE);
  expect([state.screen.kind, state.policy.retakes]).toEqual(["kept", 0]);
});

test("the answer of a check that was left does not show", () => {
  const left = follow(FIRST, PHOTO, { kind: "another-pressed" }, PHOTO);
  expect(reduce(left, assessed(1, true))).toBe(left);
  expect(reduce(left, { kind: "failed", check: 1, trouble: "model_failed" })).toBe(left);
  expect(reduce(left, { kind: "failed", check: left.check, trouble: "model_failed" }).screen.kind).toBe("trouble");
});

test("a reason is shown and hidden by the same press", () => {
  const press: Event = { kind: "reason-pressed", name: "blurry" };
  const result = follow(FIRST, PHOTO, assessed(1, true), press);
  expect(result.screen).toMatchObject({ chosen: null });
  expect(reduce(result, press).screen).toMatchObject({ chosen: "blurry" });
});

test("again leads back to the camera where the photo came from it", () => {
  const taken = follow(FIRST, { kind: "camera-asked" }, PHOTO, assessed(1, true), RETAKE);
  expect(taken.screen.kind).toBe("camera");
  expect(follow(FIRST, PHOTO, assessed(1, true), RETAKE).screen.kind).toBe("start");
});

test("a press that does not fit the screen changes nothing", () => {
  expect(reduce(FIRST, USE)).toBe(FIRST);
  expect(reduce(FIRST, assessed(0, true))).toBe(FIRST);
});

test("every language has every sentence, with the same gaps, in words of its own", () => {
  const gaps = (sentence: string) => (sentence.match(/\{\d\}/g) ?? []).sort();
  for (const words of Object.values(LANGUAGES)) {
    expect(Object.keys(words)).toEqual(Object.keys(LANGUAGES.en));
    for (const [key, sentence] of Object.entries(words)) {
      expect(sentence.trim(), key).not.toBe("");
      expect(gaps(sentence), key).toEqual(gaps(LANGUAGES.en[key as keyof typeof words]));
      if (words !== LANGUAGES.en) expect(sentence, key).not.toBe(LANGUAGES.en[key as keyof typeof words]);
    }
  }
});

test("a person's first language that there is is chosen", () => {
  expect(chooseLanguage(["fr-FR", "da-DK", "en"])).toBe("da");
  expect(chooseLanguage(["", "fr"])).toBe("en");
  expect(fill("{1} of {0}", 4, 3)).toBe("3 of 4");
  expect(translate(LANGUAGES.es, "hint", "a_new_reason", "as the spec says")).toBe("as the spec says");
});
