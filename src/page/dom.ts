/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * Small helpers around the document. Text goes in as text, never as HTML.
 * @module
 */

/** What `el` sets beside the class. */
type Attributes = Readonly<Record<string, string>>;

/** A new element with a class, attributes and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  children: readonly (Node | string)[] = [],
  attributes: Attributes = {},
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The element of the page with this id. @throws Error if it is not there or of another kind. */
export function byId<T extends Element>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new Error(`the page has no ${kind.name} #${id}`);
}

let ids = 0;

/** Names `element` by the texts of these elements, whatever they come to be: "Play live/livestream". */
export function nameBy(element: Element, ...parts: readonly Element[]): void {
  for (const part of parts) part.id ||= `name-${++ids}`;
  element.setAttribute("aria-labelledby", parts.map(({ id }) => id).join(" "));
}

/** Sets a text if it is another one: a selection in it stays. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes the children of `parent` those of `items`, in their order; what is there already is kept, so
 * that focus and selection stay.
 */
export function keyed<T>(
  parent: Element,
  items: readonly T[],
  key: (item: T) => string,
  create: (item: T) => HTMLElement,
  update: (element: HTMLElement, item: T) => void,
): void {
  const old = new Map<string, HTMLElement>();
  for (const child of parent.children) {
    if (child instanceof HTMLElement) old.set(child.dataset.key ?? "", child);
  }
  let at = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const known = old.get(name);
    old.delete(name);
    const element = known ?? create(item);
    element.dataset.key = name;
    update(element, item);
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  }
  for (const gone of old.values()) gone.remove();
}

/**
 * Puts an element's text on the clipboard, on plain http too, where there is no `navigator.clipboard`.
 * False: it could not be done, but the text is selected.
 */
export async function copyText(element: Element): Promise<boolean> {
  const text = element.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection()?.selectAllChildren(element);
    const plain = (event: ClipboardEvent) => {
      event.clipboardData?.setData("text/plain", text);
      event.preventDefault();
    };
    document.addEventListener("copy", plain);
    const done = document.execCommand("copy");
    document.removeEventListener("copy", plain);
    return done;
  }
}
