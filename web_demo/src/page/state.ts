/** What follows on an event: the one place that knows the page's ways. No DOM here; effects are done elsewhere. */

import type { Verdict } from "../core/verdict/decide.ts";
import { chooseStep, countRetake, FIRST_TRY, type RetakePolicy } from "../core/verdict/retake.ts";

export type Trouble =
  | "photo_unreadable"
  | "photo_truncated"
  | "photo_too_large"
  | "photo_unsupported"
  | "camera"
  | "model_missing"
  | "model_damaged"
  | "model_newer"
  | "model_failed";

export type Screen =
  | { kind: "start" }
  | { kind: "camera" }
  | { kind: "assessing" }
  | { kind: "result"; verdict: Verdict; chosen: string | null }
  | { kind: "kept" }
  | { kind: "trouble"; trouble: Trouble };

export interface State {
  readonly screen: Screen;
  readonly policy: RetakePolicy;
  /** Counts checks, so that the answer of one that was left does not show. */
  readonly check: number;
  /** Whether the photo came from the camera, where "again" leads back to. */
  readonly byCamera: boolean;
}

export type Event =
  | { kind: "photo-came" }
  | { kind: "camera-asked" }
  | { kind: "assessed"; check: number; verdict: Verdict; maps: boolean }
  | { kind: "failed"; check: number | null; trouble: Trouble }
  | { kind: "reason-pressed"; name: string }
  | { kind: "retake-pressed" }
  | { kind: "use-pressed" }
  | { kind: "another-pressed" };

export const FIRST: State = { screen: { kind: "start" }, policy: FIRST_TRY, check: 0, byCamera: false };

/** Returns the state after an event; one that does not fit the screen changes nothing. */
export function reduce(state: State, event: Event): State {
  switch (event.kind) {
    case "photo-came":
      return {
        ...state,
        screen: { kind: "assessing" },
        check: state.check + 1,
        byCamera: state.screen.kind === "camera",
      };
    case "camera-asked":
      return { ...state, screen: { kind: "camera" } };
    case "failed":
      if (event.check !== null && event.check !== state.check) return state;
      return { ...state, screen: { kind: "trouble", trouble: event.trouble } };
    case "another-pressed":
      return { ...state, screen: { kind: "start" }, check: state.check + 1 };
    default:
      return state.screen.kind === "assessing" ? onAssessing(state, event) : onResult(state, event);
  }
}

function onAssessing(state: State, event: Event): State {
  if (event.kind !== "assessed" || event.check !== state.check) return state;
  const chosen = event.maps && event.verdict.retake ? (event.verdict.findings[0]?.name ?? null) : null;
  return { ...state, screen: { kind: "result", verdict: event.verdict, chosen } };
}

function onResult(state: State, event: Event): State {
  const { screen } = state;
  if (screen.kind !== "result") return state;
  if (event.kind === "reason-pressed") {
    return { ...state, screen: { ...screen, chosen: event.name === screen.chosen ? null : event.name } };
  }
  if (event.kind === "retake-pressed") {
    const policy = screen.verdict.retake ? countRetake(state.policy) : state.policy;
    return { ...state, policy, screen: { kind: state.byCamera ? "camera" : "start" } };
  }
  if (event.kind === "use-pressed" && chooseStep(state.policy, screen.verdict).kind !== "retake") {
    return { ...state, policy: FIRST_TRY, screen: { kind: "kept" } };
  }
  return state;
}
