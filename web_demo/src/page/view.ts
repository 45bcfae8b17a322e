import type { Heat } from "../core/attention/heat.ts";
import { chooseStep } from "../core/verdict/retake.ts";
import { make, makeButton } from "./elements.ts";
import type { PhotoView } from "./photoView.ts";
import type { Event, Screen, State } from "./state.ts";
import { fill, translate, type Words } from "./words/index.ts";

/** What the view asks of the page. */
export interface Actions {
  send(event: Event): void;
  chooseFile(): void;
  openCamera(): void;
  shoot(video: HTMLVideoElement): void;
}

/** The photo that a result is of, and its maps. */
export interface Shown {
  readonly photo: PhotoView;
  readonly maps: readonly Heat[];
}

/** Makes what the state's screen shows; the first element is its title, which gets the focus. */
export function makeScreen(state: State, words: Words, shown: Shown | null, actions: Actions): HTMLElement[] {
  const { screen } = state;
  switch (screen.kind) {
    case "start":
      return makeStart(words, actions);
    case "camera":
      return makeCamera(words, actions);
    case "assessing":
      return [
        makeTitle(words.assessing),
        make("progress", { "aria-label": words.assessing }),
        makeButton(words.cancel, () => actions.send({ kind: "another-pressed" }), "quiet"),
      ];
    case "result":
      return shown ? makeResult(state, screen, words, shown, actions) : [];
    case "kept":
      return makeMessage(words.kept_title, words.kept_text, words.kept_next, actions);
    case "trouble":
      return makeMessage(words.trouble_title, words[`trouble_${screen.trouble}`], words.again, actions);
  }
}

function makeTitle(text: string, kind = ""): HTMLElement {
  return make("h1", { tabindex: "-1", class: kind }, text);
}

function makeStart(words: Words, actions: Actions): HTMLElement[] {
  return [
    makeTitle(words.start_title),
    make("p", {}, words.start_text),
    make(
      "div",
      { class: "buttons" },
      makeButton(words.start_choose, actions.chooseFile, "main"),
      makeButton(words.start_camera, actions.openCamera, "quiet"),
    ),
    make("p", { class: "soft drop" }, words.start_drop),
  ];
}

function makeCamera(words: Words, actions: Actions): HTMLElement[] {
  const video = make("video", { autoplay: true, playsinline: true, muted: true, "aria-label": words.camera_preview });
  const shutter = makeButton(words.camera_shutter, () => actions.shoot(video), "main");
  shutter.disabled = true;
  video.addEventListener("playing", () => {
    shutter.disabled = false;
  });
  const cancel = makeButton(words.cancel, () => actions.send({ kind: "another-pressed" }), "quiet");
  return [makeTitle(words.camera_title), video, make("div", { class: "buttons" }, shutter, cancel)];
}

function makeMessage(title: string, text: string, next: string, actions: Actions): HTMLElement[] {
  return [
    makeTitle(title),
    make("p", {}, text),
    makeButton(next, () => actions.send({ kind: "another-pressed" }), "main"),
  ];
}

function makeResult(
  state: State,
  screen: Extract<Screen, { kind: "result" }>,
  words: Words,
  { photo, maps }: Shown,
  actions: Actions,
): HTMLElement[] {
  const { verdict, chosen } = screen;
  const finding = verdict.findings.find((each) => each.name === chosen);
  const reason = finding && translate(words, "reason", finding.name, plain(finding.name));
  photo.show(finding && maps[finding.index], reason ? fill(words.result_photo_attention, reason) : words.result_photo);
  const label = verdict.label && translate(words, "label", verdict.label, plain(verdict.label));
  return [
    makeTitle(verdict.retake ? words.result_poor : words.result_good, verdict.retake ? "poor" : "good"),
    ...(label ? [make("p", { class: "label" }, label)] : []),
    ...makeHints(screen, words),
    photo.canvas,
    ...makeNext(state, screen, words, actions),
    make("h2", {}, words.result_reasons),
    makeReasons(screen, words, maps.length > 0, actions),
  ];
}

function makeHints({ verdict }: Extract<Screen, { kind: "result" }>, words: Words): HTMLElement[] {
  if (verdict.hints.length === 0) return [];
  const lines = verdict.hints.map((hint) => make("li", {}, translate(words, "hint", hint.key, hint.text)));
  return [make("ul", { class: "hints", "aria-label": words.result_help }, ...lines)];
}

function makeNext(
  state: State,
  { verdict }: Extract<Screen, { kind: "result" }>,
  words: Words,
  actions: Actions,
): HTMLElement[] {
  const next = chooseStep(state.policy, verdict);
  const press = (kind: "retake-pressed" | "use-pressed") => () => actions.send({ kind });
  const again = makeButton(words.result_retake, press("retake-pressed"), next.kind === "send" ? "quiet" : "main");
  const buttons = [again];
  if (next.kind === "send") buttons.unshift(makeButton(words.result_use, press("use-pressed"), "main"));
  if (next.kind === "retake-or-send-anyway")
    buttons.push(makeButton(words.result_anyway, press("use-pressed"), "quiet"));
  const note =
    next.kind === "retake" ? fill(next.left === 1 ? words.result_try_left : words.result_tries_left, next.left) : null;
  return [make("div", { class: "buttons" }, ...buttons), ...(note ? [make("p", { class: "soft" }, note)] : [])];
}

function makeReasons(
  { verdict, chosen }: Extract<Screen, { kind: "result" }>,
  words: Words,
  hasMaps: boolean,
  actions: Actions,
): HTMLElement {
  const rows = verdict.findings.map((finding) => {
    const share = Math.round(finding.probability * 100);
    const parts = [
      make("span", { class: "name" }, translate(words, "reason", finding.name, plain(finding.name))),
      make("span", { class: "share" }, `${share} %`),
      make("progress", { value: `${finding.probability}`, "aria-hidden": "true" }),
    ];
    if (!hasMaps) return make("li", { class: "reason" }, ...parts);
    const pressed = finding.name === chosen;
    const press = () => actions.send({ kind: "reason-pressed", name: finding.name });
    const button = make(
      "button",
      { type: "button", class: "reason", "aria-pressed": `${pressed}`, onclick: press },
      ...parts,
    );
    button.dataset.name = finding.name;
    return make("li", {}, button, pressed ? make("p", { class: "soft" }, words.result_reason_chosen) : null);
  });
  return make("ul", { class: "reasons" }, ...rows);
}

function plain(name: string): string {
  return name.replaceAll("_", " ");
}
