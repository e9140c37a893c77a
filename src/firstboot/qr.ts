import { encodeQR } from "qr";

/** Black on white whatever the page's colours are: not every camera reads inverted codes. */
export function qrSvg(text: string): string {
  const drawn = encodeQR(text, "svg", { ecc: "medium", border: 3 });
  return drawn.replace(
    /^<svg ([^>]*)>/,
    '<svg $1 shape-rendering="crispEdges"><rect width="100%" height="100%" fill="#fff"/>',
  );
}

/** Half blocks, two rows to a line, light on dark as consoles are. */
export function qrText(text: string): string {
  return encodeQR(text, "ascii", { ecc: "low", border: 2 }).trimEnd();
}
