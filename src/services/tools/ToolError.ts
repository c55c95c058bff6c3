/**
 * The errors that end a tool with exit code 1. As in NSQ, the text goes to standard error after the time.
 */
import { Schema } from "effect"

/** A tool cannot start or continue. */
export class ToolError extends Schema.TaggedError<ToolError>()("ToolError", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

/** Creates the error. */
export const toolError = (reason: string): ToolError => new ToolError({ reason })

/** A file could not be written, synced or moved. It ends the program. */
export class FileFailed extends Schema.TaggedError<FileFailed>()("FileFailed", { reason: Schema.String }) {
  override get message(): string {
    return `FATAL: ${this.reason}`
  }
}
