// Pictures: bytes of a model to ImageData, ImageData to bytes, enlarged copies, downloads.

const SHOWN_SIZE = 256; // smaller pictures are saved enlarged to this side

// Return the ImageData of size x size RGB bytes.
export function toPicture(rgb, size) {
  const picture = new ImageData(size, size);
  picture.data.fill(255);
  for (let pixel = 0; pixel < size * size; pixel += 1) {
    picture.data.set(rgb.subarray(3 * pixel, 3 * pixel + 3), 4 * pixel);
  }
  return picture;
}

// Return the RGB bytes of an ImageData.
export function toRgb(picture) {
  const numPixels = picture.width * picture.height;
  const rgb = new Uint8Array(3 * numPixels);
  for (let pixel = 0; pixel < numPixels; pixel += 1) {
    rgb.set(picture.data.subarray(4 * pixel, 4 * pixel + 3), 3 * pixel);
  }
  return rgb;
}

export function paint(canvas, picture) {
  if (canvas.width !== picture.width) canvas.width = canvas.height = picture.width;
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// Return a canvas that shows a picture, enlarged smoothly if it is small.
export function enlarge(picture) {
  const source = document.createElement("canvas");
  paint(source, picture);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = Math.max(SHOWN_SIZE, picture.width);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

export function toBlob(canvas, type, quality) {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("this browser cannot write the picture"))), type, quality);
  });
}

export function download(blob, name) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60_000);
}
