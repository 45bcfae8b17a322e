import { type Heat, resizeHeat } from "../core/attention/heat.ts";
import { blend } from "../core/attention/overlay.ts";
import type { Photo } from "../runtime/photo.ts";
import { make } from "./elements.ts";

const LONGEST = 960;

/** A photo on a canvas, upright, and where the model looks laid over it. */
export class PhotoView {
  readonly canvas: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D;
  private readonly plain: ImageData;

  constructor({ bitmap, orientation }: Photo) {
    const sides = orientation.swapsSides ? [bitmap.height, bitmap.width] : [bitmap.width, bitmap.height];
    const scale = Math.min(1, LONGEST / Math.max(...sides));
    const [width, height] = sides.map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
    this.canvas = make("canvas", { role: "img", width: `${width}`, height: `${height}` });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
    this.context.fillStyle = "#fff";
    this.context.fillRect(0, 0, width, height);
    this.context.imageSmoothingQuality = "high";
    const { swapsSides, flipsColumns, flipsRows } = orientation;
    const along = flipsColumns ? -width : width;
    const down = flipsRows ? -height : height;
    const x = flipsColumns ? width : 0;
    const y = flipsRows ? height : 0;
    if (swapsSides) this.context.setTransform(0, down / bitmap.width, along / bitmap.height, 0, x, y);
    else this.context.setTransform(along / bitmap.width, 0, 0, down / bitmap.height, x, y);
    this.context.drawImage(bitmap, 0, 0);
    this.context.resetTransform();
    this.plain = this.context.getImageData(0, 0, width, height);
  }

  /** Shows the photo as it is, or with a map over it. */
  show(map: Heat | undefined, name: string): void {
    this.canvas.setAttribute("aria-label", name);
    const { width, height, data } = this.plain;
    const shown = new ImageData(new Uint8ClampedArray(data), width, height);
    if (map) blend(shown.data, resizeHeat(map, width, height));
    this.context.putImageData(shown, 0, 0);
  }
}
