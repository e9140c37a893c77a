/** The lab always says that it is one. Pure. */
import { type Line, line, warn } from "./line.ts";

export const LAB_NOTICE = "LAB: these hosts are simulated or throw-away; nothing real is changed";

export function labLine(): Line {
  return line(warn(LAB_NOTICE));
}
