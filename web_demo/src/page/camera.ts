/** The camera, while its screen is shown. */
export class Camera {
  private constructor(private readonly stream: MediaStream) {}

  /** Asks for the camera at the back, at its largest size. */
  static async open(): Promise<Camera> {
    if (!navigator.mediaDevices) throw new DOMException("no camera outside a secure page", "NotFoundError");
    const video = { facingMode: "environment", width: { ideal: 4096 }, height: { ideal: 3072 } };
    return new Camera(await navigator.mediaDevices.getUserMedia({ video, audio: false }));
  }

  async showIn(video: HTMLVideoElement): Promise<void> {
    video.srcObject = this.stream;
    await video.play();
  }

  close(): void {
    for (const track of this.stream.getTracks()) track.stop();
  }
}
