/**
 * The versions that the programs report: that of NSQ whose behaviour is implemented, which NSQ's tools compare, and that of this
 * package.
 */
import process from "node:process"

/**
 * The implemented version of NSQ, as reported to clients and tools.
 *
 * @since 0.1.0
 * @category constants
 */
export const version = "1.3.0"

/**
 * The version of this package; `npm version` sets it (CONTRIBUTING.md).
 *
 * @since 0.2.0
 * @category constants
 */
export const packageVersion = "0.2.0"

/** Returns the text of `--version` and of the first log line, in NSQ's form. */
export const banner = (program: string): string =>
  `${program} v${version} (built w/effect-nsq ${packageVersion}, node ${process.version})`

/** Returns the text of a tool's `--version`: NSQ's form, which is one word, with this package's version as build metadata. */
export const ofTool = (tool: string): string => `${tool} v${version}+effect-nsq.${packageVersion}`
