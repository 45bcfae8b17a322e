import type { Verdict } from "./decide.ts";

/**
 * How often a person is sent back before they may send a photo that the model calls poor.
 *
 * The model may be wrong, and nobody is kept from their doctor.
 */
export interface RetakePolicy {
  /** How many photos were taken again so far. */
  readonly retakes: number;
  /** After how many of them "send anyway" is offered. */
  readonly allowed: number;
}

export const FIRST_TRY: RetakePolicy = { retakes: 0, allowed: 3 };

/** What a person may do with a photo that was assessed; `left` counts retakes before "send anyway". */
export type NextStep = { kind: "send" } | { kind: "retake"; left: number } | { kind: "retake-or-send-anyway" };

/** Says what to offer for a verdict. */
export function chooseStep(policy: RetakePolicy, verdict: Pick<Verdict, "retake">): NextStep {
  if (!verdict.retake) return { kind: "send" };
  if (policy.retakes >= policy.allowed) return { kind: "retake-or-send-anyway" };
  return { kind: "retake", left: policy.allowed - policy.retakes };
}

/** Returns the policy once the photo is taken again. */
export function countRetake(policy: RetakePolicy): RetakePolicy {
  return { ...policy, retakes: policy.retakes + 1 };
}
