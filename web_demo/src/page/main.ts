import { UPRIGHT } from "../core/picture/picture.ts";
import { type Chosen, chooseModel, FASTEST_FIRST } from "../runtime/choose.ts";
import { decodePhoto, type Photo } from "../runtime/photo.ts";
import { findRuntime } from "../runtime/runtimes.ts";
import { assess, describeTrouble } from "./assess.ts";
import { Camera } from "./camera.ts";
import { make } from "./elements.ts";
import { PhotoView } from "./photoView.ts";
import { type Event, FIRST, reduce } from "./state.ts";
import { makeScreen, type Shown } from "./view.ts";
import { chooseLanguage, fill, LANGUAGES, type Language } from "./words/index.ts";
import "./style.css";

const query = new URLSearchParams(location.search);
const asked = findRuntime(query.get("runtime"));
const find = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const [main, file, picker] = [find("main"), find<HTMLInputElement>("file"), find<HTMLSelectElement>("language")];

let state = FIRST;
let shown: Shown | null = null;
let camera: Camera | null = null;
let language = chooseLanguage([query.get("lang") ?? "", ...navigator.languages]);
let chosen: Chosen | null = null;
let loading = load();

/** Opens the model; a failure is told when a photo needs it, and the next photo tries again. */
function load(): Promise<Chosen> {
  const opened = chooseModel(new URL("model/", document.baseURI).href, asked ? [asked] : FASTEST_FIRST);
  opened.then(
    (model) => {
      chosen = model;
      showAbout();
    },
    () => undefined,
  );
  return opened;
}

function send(event: Event): void {
  const before = state.screen;
  state = reduce(state, event);
  if (state.screen.kind !== "camera") closeCamera();
  if (state.screen !== before) show(state.screen.kind !== before.kind);
  if (state.screen.kind === "camera" && before.kind !== "camera") void startCamera();
}

/** Shows the screen; of a new one the title gets the focus, so that a screen reader says it. */
function show(isNew: boolean): void {
  const { activeElement } = document;
  const pressed = activeElement instanceof HTMLElement ? activeElement.dataset.name : undefined;
  main.dataset.screen = state.screen.kind;
  main.replaceChildren(...makeScreen(state, LANGUAGES[language], shown, actions));
  const title = main.querySelector<HTMLElement>("h1");
  if (isNew) title?.focus();
  else if (pressed) main.querySelector<HTMLElement>(`[data-name="${CSS.escape(pressed)}"]`)?.focus();
}

const actions = {
  send,
  chooseFile: () => file.click(),
  openCamera: () => send({ kind: "camera-asked" }),
  shoot: (video: HTMLVideoElement) =>
    void check(async () => ({ bitmap: await createImageBitmap(video), orientation: UPRIGHT })),
};

async function startCamera(): Promise<void> {
  try {
    camera = await Camera.open();
    const video = main.querySelector("video");
    if (video) await camera.showIn(video);
    else closeCamera(); // the person has left meanwhile
  } catch {
    if (state.screen.kind === "camera") send({ kind: "failed", check: null, trouble: "camera" });
  }
}

function closeCamera(): void {
  camera?.close();
  camera = null;
}

/** Assesses a photo; where the person left meanwhile, nothing shows. */
async function check(decode: () => Promise<Photo>): Promise<void> {
  const taken = state.screen.kind === "camera" ? await decode() : null;
  send({ kind: "photo-came" });
  const { check } = state;
  try {
    const photo = taken ?? (await decode());
    const { model } = await loading;
    const { verdict, maps } = await assess(photo, model);
    if (check === state.check) shown = { photo: new PhotoView(photo), maps };
    photo.bitmap.close();
    send({ kind: "assessed", check, verdict, maps: maps.length > 0 });
  } catch (error) {
    const trouble = describeTrouble(error);
    if (trouble.startsWith("model")) loading = load();
    send({ kind: "failed", check, trouble });
  }
}

function showAbout(): void {
  const words = LANGUAGES[language];
  const lines = chosen
    ? [
        fill(words.about_model, chosen.artifact.path, chosen.model.runtime),
        ...chosen.passedOver.map((why) => fill(words.about_passed_over, why)),
      ]
    : [words.about_loading];
  find("about").replaceChildren(...lines.map((line) => make("p", {}, line)));
  document.documentElement.dataset.model = chosen ? chosen.model.runtime : "";
}

function speak(wanted: Language): void {
  language = wanted;
  const words = LANGUAGES[language];
  document.documentElement.lang = language;
  document.title = words.app_name;
  for (const [id, key] of [
    ["name", "app_name"],
    ["privacy", "privacy"],
    ["no-device", "no_device"],
    ["about-title", "about"],
  ] as const) {
    find(id).textContent = words[key];
  }
  picker.setAttribute("aria-label", words.language_choice);
  picker.value = language;
  file.setAttribute("aria-label", words.start_choose);
  showAbout();
  show(false);
}

function acceptFile(chosenFile: File | null | undefined): void {
  if (chosenFile && state.screen.kind !== "assessing") void check(() => decodePhoto(chosenFile, chosenFile.name));
}

picker.replaceChildren(
  ...Object.entries(LANGUAGES).map(([value, words]) => make("option", { value, lang: value }, words.language)),
);
picker.addEventListener("change", () => speak(picker.value as Language));
file.addEventListener("change", () => {
  acceptFile(file.files?.item(0));
  file.value = ""; // the same photo may be chosen again
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  acceptFile(event.dataTransfer?.files.item(0));
});
speak(language);
if (location.protocol.startsWith("http")) navigator.serviceWorker?.register("sw.js").catch(() => undefined);
