import { FleetError } from "../errors.ts";

/**
 * The URL `nix copy` signs with `keyFile` at. Hosts refuse what nobody signed, so pushing it would only look like
 * success: refused here. A store behind SSH takes paths by trust in its user instead. Pure.
 */
export function signedCache(url: string, keyFile: string | undefined): string {
  const [base = "", query = ""] = url.split("?", 2);
  const isKey = (parameter: string) => parameter.startsWith("secret-key=");
  const parameters = query.split("&").filter((p) => p !== "");
  if (/^ssh(-ng)?:/.test(base)) {
    if (keyFile === undefined) return url;
    throw new FleetError("usage", "a store behind SSH signs nothing: --key has no use there", {
      hint: "leave --key out, or push to the cache's own URL (s3://, file://)",
    });
  }
  if (keyFile === undefined && parameters.some(isKey)) return url;
  if (keyFile === undefined) {
    throw new FleetError("usage", "without a key the hosts would refuse what is pushed", {
      hint: "add --key FILE (made by: nix-store --generate-binary-cache-key NAME FILE PUBLIC)",
    });
  }
  const key = `secret-key=${encodeURI(keyFile).replace(/[&#?+]/g, encodeURIComponent)}`;
  return `${base}?${[...parameters.filter((p) => !isKey(p)), key].join("&")}`;
}
