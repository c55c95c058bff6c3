/**
 * The program `standalone`: nsqlookupd and nsqd in one process, for development.
 */
import * as Arguments from "./arguments.ts"
import * as Standalone from "./runStandalone.ts"

Standalone.run(Arguments.read())
