/** Reads JSON that others wrote: every field is looked at before it is believed. */

import { ImageQXError } from "../errors.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Returns the JSON that a text is. */
export function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ImageQXError("model-damaged", where, "JSON", String((error as Error).message));
  }
}

/** Refuses a file whose `schema_version` is not among the known; one without is of version 1. */
export function checkVersion(fields: Fields, where: string, known: readonly number[]): void {
  const version = fields.schema_version;
  if (version === undefined || (typeof version === "number" && known.includes(version))) return;
  throw new ImageQXError("model-newer", where, known.join(" or "), JSON.stringify(version).slice(0, 80));
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The fields of one object of a file, each read as what it must be. */
export class Reader {
  constructor(
    private readonly fields: Fields,
    readonly where: string,
  ) {}

  static of(value: unknown, where: string): Reader {
    if (!isFields(value)) throw damaged(where, "an object", value);
    return new Reader(value, where);
  }

  has(name: string): boolean {
    return this.fields[name] !== undefined && this.fields[name] !== null;
  }

  /** Returns a field as it is. */
  value(name: string): unknown {
    return this.fields[name];
  }

  text(name: string, otherwise?: string): string {
    return this.read(name, otherwise, "a text", (value) => typeof value === "string");
  }

  number(name: string, otherwise?: number): number {
    return this.read(name, otherwise, "a number", (value) => Number.isFinite(value));
  }

  object(name: string): Reader {
    return Reader.of(this.fields[name], `${this.where}: ${name}`);
  }

  objects(name: string): Reader[] {
    return this.list<unknown>(name, "objects", isFields).map((value, i) =>
      Reader.of(value, `${this.where}: ${name}[${i}]`),
    );
  }

  texts(name: string): string[] {
    return this.list<string>(name, "texts", (value) => typeof value === "string");
  }

  integers(name: string): number[] {
    return this.list<number>(name, "integers", (value) => Number.isInteger(value));
  }

  /** Reads an object of numbers; `{}` where there is none. */
  numbers(name: string): ReadonlyMap<string, number> {
    return this.map<number>(name, "numbers", (value) => Number.isFinite(value));
  }

  strings(name: string): ReadonlyMap<string, string> {
    return this.map<string>(name, "texts", (value) => typeof value === "string");
  }

  private map<T>(name: string, kind: string, fits: (value: unknown) => boolean): ReadonlyMap<string, T> {
    const value = this.fields[name] ?? {};
    if (!isFields(value) || !Object.values(value).every(fits))
      throw damaged(`${this.where}: ${name}`, `an object of ${kind}`, value);
    return new Map(Object.entries(value) as [string, T][]);
  }

  private list<T>(name: string, kind: string, fits: (value: unknown) => boolean): T[] {
    const value = this.fields[name] ?? [];
    if (!Array.isArray(value) || !value.every(fits))
      throw damaged(`${this.where}: ${name}`, `a list of ${kind}`, value);
    return value as T[];
  }

  private read<T>(name: string, otherwise: T | undefined, kind: string, fits: (value: unknown) => boolean): T {
    const value = this.fields[name] ?? otherwise;
    if (!fits(value)) throw damaged(`${this.where}: ${name}`, kind, value);
    return value as T;
  }
}

function damaged(where: string, expected: string, got: unknown): ImageQXError {
  return new ImageQXError("model-damaged", where, expected, String(JSON.stringify(got)).slice(0, 80));
}
