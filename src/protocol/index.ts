/**
 * `effect-nsq/protocol`: NSQ's wire protocol and file formats as Schemas and codecs. Pure: no fibers, no I/O.
 */

/** The commands a client sends. */
export * as Command from "./client/Command.ts"
/** Commands from bytes, however these are cut. */
export * as CommandDecoder from "./client/CommandDecoder.ts"
/** The parameters of a command line. */
export * as CommandLine from "./client/CommandLine.ts"
/** What the decoder gives out. */
export * as Decoded from "./client/Decoded.ts"
/** The disk queue's files. */
export * as DiskQueueFormat from "./storage/DiskQueueFormat.ts"
/** What a server sends. */
export * as Frame from "./client/Frame.ts"
/** JSON objects as Go reads them. */
export * as GoJson from "./text/GoJson.ts"
/** How message ids are made. */
export * as Guid from "./client/Guid.ts"
/** What client and server agree on. */
export * as Identify from "./client/Identify.ts"
/** What nsqlookupd answers. */
export * as LookupAnswer from "./lookup/LookupAnswer.ts"
/** What nsqd tells nsqlookupd. */
export * as LookupCommand from "./lookup/LookupCommand.ts"
/** How nsqd and nsqlookupd introduce themselves to each other. */
export * as LookupIdentity from "./lookup/LookupIdentity.ts"
/** The message layout. */
export * as Message from "./client/Message.ts"
/** Messages that travel together. */
export * as MessageBatch from "./client/MessageBatch.ts"
/** Topic and channel names. */
export * as Names from "./client/Names.ts"
/** The metadata file. */
export * as NsqdMetadata from "./storage/NsqdMetadata.ts"
/** The catalogue of wire errors. */
export * as ProtocolError from "./client/ProtocolError.ts"
/** Go's rules for quoting and for numbers. */
export * as Text from "./text/Text.ts"
