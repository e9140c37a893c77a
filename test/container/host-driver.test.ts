import { hostDriverContract } from "../contract/host-driver.ts";
import { dockerSubject } from "./host-docker.ts";

hostDriverContract("bookworm as root", () => dockerSubject("bookworm", "root"));
hostDriverContract("trixie with sudo", () => dockerSubject("trixie", "deploy"));
