type Attributes = Record<string, string | boolean | (() => void)>;

/**
 * Makes an element.
 *
 * @param attributes texts are set, true is set without a value, false is left out, functions listen to what they are named
 *   after: `onclick`.
 */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string | null)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function makeButton(text: string, press: () => void, kind: "main" | "quiet"): HTMLButtonElement {
  return make("button", { type: "button", class: kind, onclick: press }, text);
}
