/** A public key as it is compared and written down: type and base64, without its comment. Pure. */
export const bareKey = (key: string): string => key.trim().split(/\s+/).slice(0, 2).join(" ");
