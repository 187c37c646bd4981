/**
 * What AMF values look like in memory. The types keep every difference that the wire makes (object,
 * ECMA array, typed object), so that writing a value and reading it back gives the same value.
 *
 * Property names come from the peer. They live in Maps, never as properties of a JavaScript object,
 * so `__proto__` or `constructor` are names like any other (H8).
 * @module
 */

/**
 * Named values in order. A name that is set again takes the new value and moves to the end, as in SRS.
 */
export abstract class AmfProperties<V> extends Map<string, V> {
  /** Sets `key`; a key that is already there moves to the end. */
  override set(key: string, value: V): this {
    this.delete(key);
    return super.set(key, value);
  }
}

/** AMF0 object (marker 03). */
export class AmfObject extends AmfProperties<AmfValue> {
  readonly kind = "object";
}

/** AMF0 ECMA array (marker 08): an object by another name. The count on the wire is only a hint. */
export class AmfEcmaArray extends AmfProperties<AmfValue> {
  readonly kind = "ecma-array";
}

/** AMF0 typed object (marker 10). */
export class AmfTypedObject extends AmfProperties<AmfValue> {
  readonly kind = "typed-object";
  constructor(readonly className: string, entries: Iterable<readonly [string, AmfValue]> = []) {
    super(entries);
  }
}

/** A date. Not a JavaScript `Date`, which would round the time and refuse some. */
export class AmfDate {
  readonly kind = "date";
  /**
   * @param time ms since 1970 UTC, any double.
   * @param zone Minutes, signed 16 bit; the AMF0 documents reserve it and want 0. AMF3 has none: 0.
   */
  constructor(readonly time: number, readonly zone: number = 0) {}
}

/** An XML text. AMF0 knows only documents; AMF3 tells `flash.xml.XMLDocument` from E4X. */
export class AmfXml {
  readonly kind = "xml";
  constructor(readonly text: string, readonly document: boolean = true) {}
}

/** AMF0 "unsupported" (marker 0D): the sender could not express a value. */
export class AmfUnsupported {
  readonly kind = "unsupported";
}

/**
 * A reference to an object written earlier in the same message. It is kept as it is and not followed:
 * following it would let a few bytes build a cycle, or a tree that doubles at every level (H7).
 */
export class AmfReference {
  readonly kind = "reference";
  constructor(readonly index: number) {}
}

/** One AMF3 value inside AMF0 (marker 11). The switch holds for this value only (AMF0 §3.1). */
export class AmfAvmPlus {
  readonly kind = "avmplus";
  constructor(readonly value: Amf3Value) {}
}

/** Every value that AMF0 can carry. An array is a strict array (marker 0A). */
export type AmfValue =
  | number
  | boolean
  | string
  | null
  | undefined
  | AmfObject
  | AmfEcmaArray
  | AmfTypedObject
  | AmfValue[]
  | AmfDate
  | AmfXml
  | AmfUnsupported
  | AmfReference
  | AmfAvmPlus;

/** The shape that AMF3 objects share: class name, fixed member names, and whether more may follow. */
export class Amf3Traits {
  constructor(
    readonly className: string,
    readonly sealed: readonly string[],
    readonly dynamic: boolean,
  ) {}
}

/** AMF3 object (marker 0A). Sealed members come first, dynamic ones after them. */
export class Amf3Object extends AmfProperties<Amf3Value> {
  readonly kind = "amf3-object";
  constructor(readonly traits: Amf3Traits, entries: Iterable<readonly [string, Amf3Value]> = []) {
    super(entries);
  }
}

/** AMF3 array (marker 09): named values and a dense part. */
export class Amf3Array extends AmfProperties<Amf3Value> {
  readonly kind = "amf3-array";
  constructor(readonly dense: Amf3Value[], entries: Iterable<readonly [string, Amf3Value]> = []) {
    super(entries);
  }
}

/** AMF3 vector of numbers (markers 0D int, 0E uint, 0F double). */
export class Amf3Vector {
  readonly kind = "amf3-vector";
  constructor(
    readonly items: Int32Array | Uint32Array | Float64Array,
    readonly fixed: boolean = false,
  ) {}
}

/** AMF3 vector of objects (marker 10). */
export class Amf3ObjectVector {
  readonly kind = "amf3-object-vector";
  constructor(
    readonly typeName: string,
    readonly items: Amf3Value[],
    readonly fixed: boolean = false,
  ) {}
}

/** AMF3 dictionary (marker 11): keys may be any value. */
export class Amf3Dictionary {
  readonly kind = "amf3-dictionary";
  constructor(
    readonly entries: (readonly [Amf3Value, Amf3Value])[],
    readonly weakKeys: boolean = false,
  ) {}
}

/** Every value that AMF3 can carry, externalizable objects excepted. `Uint8Array` is a ByteArray. */
export type Amf3Value =
  | number
  | boolean
  | string
  | null
  | undefined
  | Amf3Object
  | Amf3Array
  | Amf3Vector
  | Amf3ObjectVector
  | Amf3Dictionary
  | Uint8Array
  | AmfDate
  | AmfXml
  | AmfReference;
