import { describe, expect, it } from "vitest";
import { contentReference, gitReference, parseFlakeReference, repositoryReference } from "./reference.ts";

describe("parseFlakeReference", () => {
  it.each([
    ["./flake", "/fleet/flake"],
    [".", "/fleet"],
    ["..", "/"],
    ["../nix/#hosts", "/nix"],
    ["/etc/fleet", "/etc/fleet"],
    ["git+file:///etc/fleet", "/etc/fleet"],
    ["./my fleet", "/fleet/my fleet"],
  ])("%s is a directory", (text, path) => {
    expect(parseFlakeReference(text, "/fleet")).toEqual({ kind: "directory", path });
  });
  it("leaves path: without history", () => {
    expect(parseFlakeReference("path:./f", "/fleet")).toEqual({ kind: "content", url: "path:/fleet/f" });
  });
  it("leaves a stated branch to Nix", () => {
    const url = "git+file:///etc/fleet?ref=main";
    expect(parseFlakeReference(url, "/f")).toEqual({ kind: "repository", url });
  });
  it("tells repositories from archives", () => {
    expect(parseFlakeReference("github:macula/fleet", "/f").kind).toBe("repository");
    expect(parseFlakeReference("git+ssh://git@example.org/fleet", "/f").kind).toBe("repository");
    expect(parseFlakeReference("https://example.org/f.tar.gz", "/f").kind).toBe("content");
  });
});

describe("one revision", () => {
  it("of a work tree, whole or in part", () => {
    expect(gitReference("/f", "", "abc")).toBe("git+file:///f?rev=abc");
    expect(gitReference("/f", "nix/fleet/", "abc")).toBe("git+file:///f?dir=nix/fleet&rev=abc");
    expect(gitReference("/f", "")).toBe("git+file:///f");
    expect(gitReference("/my fleet", "")).toBe("git+file:///my%20fleet");
  });
  it("of a repository: replaces the one written down, keeps the rest", () => {
    const commit = "0123456789abcdef0123456789abcdef01234567";
    expect(repositoryReference("git+ssh://h/r?ref=main&dir=nix", commit)).toBe(
      `git+ssh://h/r?dir=nix&rev=${commit}`,
    );
    expect(repositoryReference("git+https://h/r", "v1.2")).toBe("git+https://h/r?ref=v1.2");
    expect(repositoryReference("github:o/r/main?dir=nix", commit)).toBe(`github:o/r/${commit}?dir=nix`);
  });
  it("of content: by its hash", () => {
    expect(contentReference("path:/f", "sha256-a+b/c=")).toBe("path:/f?narHash=sha256-a%2Bb%2Fc%3D");
  });
});
