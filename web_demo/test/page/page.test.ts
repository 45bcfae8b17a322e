import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { choose, DOCS, launch, open, PHOTOS, PICTURES, title, URL, waitForScreen } from "./stage.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

const POOR = join(DOCS, "shaky.jpg");

test.each(["light", "dark"] as const)(
  "a poor photo, 360 pixels wide, %s: verdict, hints and where the model looks",
  async (colorScheme) => {
    const viewport = { width: 360, height: 780 };
    const { page, context, complaints } = await open(browser, "", {
      viewport,
      colorScheme,
      isMobile: true,
      hasTouch: true,
    });
    await waitForScreen(page, "start");
    await page.screenshot({ path: join(PICTURES, `start-${colorScheme}.png`), fullPage: true });
    await choose(page, POOR);
    await waitForScreen(page, "result");
    expect(await title(page)).toBe("Please take the photo again");
    expect(await page.locator(".hints li").allInnerTexts()).toEqual(["Hold the phone still and tap to focus"]);
    expect(await page.getByRole("img").getAttribute("aria-label")).toContain("The photo is blurry");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await page.screenshot({ path: join(PICTURES, `result-${colorScheme}.png`), fullPage: true });
    expect(complaints).toEqual([]);
    await context.close();
  },
);

test("three retakes, and then it may be sent anyway; nothing was sent at all", async () => {
  const { page, context, complaints, requests } = await open(browser);
  for (const note of ["After 3 more tries", "After 2 more tries", "After 1 more try"]) {
    await choose(page, POOR);
    await waitForScreen(page, "result");
    expect(await page.locator("main").textContent()).toContain(note);
    expect(await page.getByRole("button", { name: "Send it anyway" }).count()).toBe(0);
    await page.getByRole("button", { name: "Take it again" }).click();
    await waitForScreen(page, "start");
  }
  await choose(page, POOR);
  await waitForScreen(page, "result");
  await page.getByRole("button", { name: "Send it anyway" }).click();
  await waitForScreen(page, "kept");
  expect(requests.filter(({ method, body }) => method !== "GET" || body !== null)).toEqual([]);
  expect(requests.filter(({ url }) => !url.startsWith(URL) && !url.startsWith("blob:"))).toEqual([]);
  expect(complaints).toEqual([]);
  await context.close();
});

test("the policy forbids the page and its workers to ask anybody else", async () => {
  const { page, context } = await open(browser);
  const refused = await page.evaluate(() =>
    fetch("https://example.org/").then(
      () => "sent",
      () => "refused",
    ),
  );
  expect(refused).toBe("refused");
  const files = [
    URL,
    ...(await page.evaluate(() => performance.getEntriesByType("resource").map((entry) => entry.name))),
  ];
  for (const file of files) {
    const policy = (await context.request.get(file)).headers()["content-security-policy"] ?? "";
    expect(policy, file).toContain("connect-src 'self'");
  }
  await context.close();
});

const BAD = [
  ["a text", { name: "a.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no photo") }, "damaged or not a photo"],
  [
    "half a JPEG",
    { name: "a.jpg", mimeType: "image/jpeg", buffer: readFileSync(POOR).subarray(0, 4000) },
    "not complete",
  ],
  [
    "HEIC",
    { name: "a.heic", mimeType: "image/heic", buffer: Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic") },
    "Save it as JPEG",
  ],
] as const;

test("what is no whole photo is refused in words", async () => {
  const { page, context, complaints } = await open(browser);
  for (const [name, file, words] of BAD) {
    await choose(page, { ...file });
    await waitForScreen(page, "trouble");
    expect(await page.locator("main").textContent(), name).toContain(words);
    await page.getByRole("button", { name: "Try again" }).click();
    await waitForScreen(page, "start");
  }
  expect(complaints).toEqual([]);
  await context.close();
});

test("a photo from the camera", async () => {
  const { page, context, complaints } = await open(browser, "", { permissions: ["camera"] });
  await page.getByRole("button", { name: "Use the camera" }).click();
  const shutter = page.getByRole("button", { name: "Take the photo" });
  await page.locator("main[data-screen=camera] button:enabled.main").waitFor();
  await shutter.click();
  await waitForScreen(page, "result");
  await page.screenshot({ path: join(PICTURES, "camera-result.png"), fullPage: true });
  expect(await page.getByRole("img").count()).toBe(1);
  expect(complaints).toEqual([]);
  await context.close();
});

test("without a camera the page says so, and a photo can be chosen", async () => {
  const { page, context } = await open(browser);
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
  });
  await page.getByRole("button", { name: "Use the camera" }).click();
  await waitForScreen(page, "trouble");
  expect(await page.locator("main").textContent()).toContain("You can choose a photo");
  await context.close();
});

test("offline, after the first visit, a photo is assessed", async () => {
  const { page, context, complaints } = await open(browser);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await context.setOffline(true);
  await page.reload();
  await choose(page, POOR);
  await waitForScreen(page, "result");
  expect(await title(page)).toBe("Please take the photo again");
  expect(complaints.filter((line) => !line.includes("sw.js"))).toEqual([]);
  await context.close();
});

test("with the keyboard alone, and with names that a screen reader says", async () => {
  const { page, context } = await open(browser);
  await waitForScreen(page, "start");
  const asked = page.waitForEvent("filechooser");
  for (let i = 0; i < 8 && (await focused(page)) !== "Choose a photo"; i++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await (await asked).setFiles(POOR);
  await waitForScreen(page, "result");
  expect(await focused(page)).toBe("Please take the photo again"); // the new screen's title is said
  for (let i = 0; i < 12 && !(await focused(page)).startsWith("The light"); i++) await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  expect(await page.locator('button[aria-pressed="true"]').textContent()).toContain("The light is not good");
  expect(await focused(page)).toContain("The light"); // the pressed button keeps the focus
  expect(await page.getByRole("img").getAttribute("aria-label")).toContain("The light is not good");
  const snapshot = await page.locator("body").ariaSnapshot();
  for (const name of [
    'combobox "Language"',
    'heading "Please take the photo again"',
    'button "Take it again"',
    'list "What helps"',
  ]) {
    expect(snapshot).toContain(name);
  }
  await context.close();
});

function focused(page: Page): Promise<string> {
  return page.evaluate(() => document.activeElement?.textContent ?? "");
}

test("a person reads the first of their languages, and may choose another", async () => {
  const { page, context } = await open(browser, "", { locale: "da-DK" });
  await choose(page, POOR);
  await waitForScreen(page, "result");
  for (const [language, wanted, hint] of [
    ["da", "Tag venligst billedet igen", "Hold telefonen stille"],
    ["es", "Por favor, repite la foto", "No muevas el teléfono"],
    ["en", "Please take the photo again", "Hold the phone still"],
  ] as const) {
    if (language !== "da") await page.getByRole("combobox").selectOption(language);
    expect(await page.evaluate(() => document.documentElement.lang)).toBe(language);
    expect(await title(page)).toBe(wanted);
    expect(await page.locator(".hints").textContent()).toContain(hint);
  }
  await context.close();
});

test("the default is LiteRT.js; where it fails the self-test, ONNX Runtime Web assesses", async () => {
  const first = await open(browser);
  await first.page.locator('html[data-model^="LiteRT.js"]').waitFor({ timeout: 50_000 });
  await first.context.close();
  const context = await browser.newContext({ serviceWorkers: "block" });
  const page = await context.newPage();
  await page.route("**/probe.json", async (route) => {
    const probe = await (await route.fetch()).json();
    probe.outputs["imageqx_w8a8.tflite"]["2"].quality[0] += 0.002; // as of sums that saturate
    await route.fulfill({ json: probe });
  });
  await page.goto(URL);
  await page.locator('html[data-model^="ONNX Runtime Web"]').waitFor({ timeout: 50_000 });
  expect(await page.locator("#about").textContent()).toContain("saturation probe");
  await choose(page, POOR);
  await waitForScreen(page, "result");
  expect(await title(page)).toBe("Please take the photo again");
  await context.close();
});

test("a model that is not the manifest's is never run", async () => {
  const context = await browser.newContext({ serviceWorkers: "block" });
  const page = await context.newPage();
  await page.route("**/*.{tflite,onnx}", async (route) => {
    const body = await (await route.fetch()).body();
    body[body.length >> 1] = (body[body.length >> 1] as number) ^ 1;
    await route.fulfill({ body });
  });
  await page.goto(URL);
  await choose(page, join(PHOTOS, "tall_336x500.jpg"));
  await waitForScreen(page, "trouble");
  expect(await page.locator("main").textContent()).toContain("damaged");
  await page.unrouteAll({ behavior: "ignoreErrors" });
  await context.close();
});
