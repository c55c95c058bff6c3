/**
 * The default node id of a daemon. As in NSQ it is derived from the host name, so that the daemons of a cluster rarely share
 * an id; two hosts can still have the same one.
 */
import * as Crypto from "node:crypto"
import * as Os from "node:os"
import * as Zlib from "node:zlib"

/** Returns the node id for a host name: CRC-32 of its MD5, modulo 1024. */
export const fromHostname = (hostname: string): number =>
  Zlib.crc32(Crypto.createHash("md5").update(hostname).digest()) % 1024

/** Returns the host name of this machine. */
export const hostname = (): string => Os.hostname()
