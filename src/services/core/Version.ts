/**
 * The version that the programs report. NSQ's tools compare it, so it is the version of NSQ whose behaviour is implemented,
 * not the version of this package.
 */
import process from "node:process"

/**
 * The implemented version of NSQ, as reported to clients and tools.
 *
 * @since 0.1.0
 * @category constants
 */
export const version = "1.3.0"

/** Returns the text of `--version` and of the first log line. */
export const banner = (program: string): string => `${program} v${version} (built w/node ${process.version})`
