/** A page in Debian's Chromium, on the server that `python -m web_demo.tools test` starts. */

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";

export const URL = process.env.IMAGEQX_WEB_URL ?? "http://127.0.0.1:8224/";
export const ARTIFACTS = process.env.IMAGEQX_WEB_ARTIFACTS ?? "../artifacts/imageqx";
export const PHOTOS = join(ARTIFACTS, "golden/photos");
export const PICTURES = process.env.IMAGEQX_WEB_PICTURES ?? "pictures";
export const DOCS = join(import.meta.dirname, "../../../docs");

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Starts a Chromium whose camera shows a moving picture of its own. */
export function launch(): Promise<Browser> {
  const executablePath = PATHS.find((path) => existsSync(path));
  if (!executablePath) throw new Error("needs Chromium: apt install chromium");
  mkdirSync(PICTURES, { recursive: true });
  const args = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--disable-gpu"];
  return chromium.launch({ executablePath, args });
}

/** A page, what its console said, and what it asked of servers. */
export interface Stage {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly complaints: string[];
  readonly requests: { method: string; url: string; body: string | null }[];
}

/** Opens a page of the site in a context of its own. */
export async function open(browser: Browser, address = "", options: BrowserContextOptions = {}): Promise<Stage> {
  const context = await browser.newContext({ locale: "en-GB", ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: Stage["requests"] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(`${error}`));
  context.on("request", (request) =>
    requests.push({ method: request.method(), url: request.url(), body: request.postData() }),
  );
  await page.goto(URL + address);
  return { context, page, complaints, requests };
}

/** Gives the page a file, as a person who chose it. */
export async function choose(
  page: Page,
  file: string | { name: string; mimeType: string; buffer: Buffer },
): Promise<void> {
  await page.locator("#file").setInputFiles(file);
}

export async function waitForScreen(page: Page, screen: string): Promise<void> {
  await page.locator(`main[data-screen="${screen}"]`).waitFor({ timeout: 50_000 });
}

export function title(page: Page): Promise<string | null> {
  return page.locator("h1").textContent();
}

export function readArtifact(name: string): string {
  return readFileSync(join(ARTIFACTS, name), "utf8");
}
