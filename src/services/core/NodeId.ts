/**
 * The node id a daemon has when nobody gives it one: NSQ derives it from the name of the machine, so that the daemons
 * of a cluster rarely share one. It is only a default; two machines can end up with the same id.
 */
import * as Crypto from "node:crypto"
import * as Os from "node:os"
import * as Zlib from "node:zlib"

/** CRC-32 of the MD5 of the host's name, modulo 1024. */
export const fromHostname = (hostname: string): number =>
  Zlib.crc32(Crypto.createHash("md5").update(hostname).digest()) % 1024

/** The name of this machine. */
export const hostname = (): string => Os.hostname()
