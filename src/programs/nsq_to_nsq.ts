/**
 * The program `nsq_to_nsq`: publishes messages to other nsqd.
 */
import * as NsqToNsq from "../services/tools/NsqToNsq.ts"
import * as Tool from "./tool.ts"

Tool.run({ name: "nsq_to_nsq", table: NsqToNsq.table, defaults: NsqToNsq.defaults, main: NsqToNsq.main })
