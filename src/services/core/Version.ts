/**
 * What the programs say they are. NSQ's tools compare the number, so it is the version of NSQ whose behaviour is
 * kept, not that of this package.
 */
import process from "node:process"

/** The version of NSQ that clients and tools may take us for. */
export const version = "1.3.0"

/** What `--version` prints and the first log line says. */
export const banner = (program: string): string => `${program} v${version} (built w/node ${process.version})`
