// @ts-check
// onnxruntime's sessions and the states they read and replace. Plain JavaScript: Node loads it in a worker thread as it
// is, from the sources as from the package; in a browser it runs where it is imported.

/**
 * @typedef {import("onnxruntime-common").InferenceSession} Session
 * @typedef {import("onnxruntime-common").Tensor} OrtTensor
 * @typedef {{ type: import("../program/types.ts").DType, dims: readonly number[], data: Float32Array | Int32Array | Uint32Array | Uint16Array }} TensorData
 * @typedef {{ current: OrtTensor, spare: OrtTensor | null }} StateMemory `spare` takes the new value where it must not go over the old one.
 * @typedef {{
 *   session: number,
 *   inputs: Record<string, TensorData>,
 *   states: Record<string, number>,
 *   updates: Record<string, { state: number, overwrites: boolean }>,
 *   outputs: Record<string, { type: TensorData["type"], dims: readonly number[] }>,
 * }} RunRequest states and updates: ids of states by the names of the graph's inputs and outputs
 */

/**
 * An output that is a sequence, not a tensor, and the first one of graphs that replace states. onnxruntime-node computes
 * all outputs in the memory it is given, then copies each one once more for the caller, which for weights and moments
 * takes as long as a training step. It refuses to hand over a sequence, though: asked for one, it stops before the first
 * copy. Its pull request 32346 does away with the copies; then nothing is refused, and this is not needed.
 */
export const COPY_STOPPER = "heddle.copyStopper";
const REFUSAL = "Non tensor type is temporarily not supported";

const ORT_TYPES = /** @type {const} */ ({ f32: "float32", i32: "int32", u32: "uint32", f16: "float16" });
const ARRAYS = { f32: Float32Array, i32: Int32Array, u32: Uint32Array, f16: Uint16Array };

/**
 * @param {TensorData["type"]} type
 * @param {readonly number[]} dims
 */
const zeros = (type, dims) => new ARRAYS[type](dims.reduce((product, extent) => product * extent, 1));

/**
 * A tensor's elements, f16 as bits: where JavaScript has a Float16Array, onnxruntime makes one of them.
 *
 * @param {OrtTensor} tensor
 */
function arrayOf({ type, data }) {
  const array = /** @type {TensorData["data"]} */ (data);
  return type === "float16" ? new Uint16Array(array.buffer, array.byteOffset, array.length) : array;
}

export class Engine {
  /** @type {Map<number, Session>} */
  #sessions = new Map();
  /** @type {Map<number, StateMemory>} */
  #states = new Map();
  #ort;
  #fillsOutputs;

  /**
   * @param {typeof import("onnxruntime-common")} ort
   * @param {{ fillsOutputs: boolean }} options true where onnxruntime writes outputs into the tensors it is given, and
   *   COPY_STOPPER keeps it from copying them; onnxruntime-web takes them and leaves them as they were
   */
  constructor(ort, { fillsOutputs }) {
    this.#ort = ort;
    this.#fillsOutputs = fillsOutputs;
  }

  /**
   * @param {number} id
   * @param {Uint8Array} model
   * @param {import("onnxruntime-common").InferenceSession.SessionOptions} options
   */
  async createSession(id, model, options) {
    this.#sessions.set(id, await this.#ort.InferenceSession.create(model, options));
  }

  /** @param {number} id */
  async releaseSession(id) {
    await this.#sessions.get(id)?.release();
    this.#sessions.delete(id);
  }

  /**
   * @param {number} id
   * @param {import("../program/types.ts").DType} type
   * @param {readonly number[]} dims
   * @param {TensorData["data"] | null} data zeros where null
   */
  createState(id, type, dims, data) {
    this.#states.set(id, { current: this.#tensor({ type, dims, data: data ?? zeros(type, dims) }), spare: null });
  }

  /**
   * @param {number} id
   * @param {TensorData["data"]} data
   */
  writeState(id, data) {
    arrayOf(this.#state(id).current).set(/** @type {never} */ (data));
  }

  /** @param {readonly number[]} ids */
  readStates(ids) {
    return ids.map((id) => arrayOf(this.#state(id).current).slice());
  }

  /** @param {number} id */
  releaseState(id) {
    this.#states.delete(id);
  }

  /**
   * @param {RunRequest} request
   * @returns {Promise<Record<string, TensorData["data"]>>} copies of the outputs asked for
   */
  async run({ session, inputs, states, updates, outputs }) {
    /** @type {Record<string, OrtTensor>} */
    const feeds = {};
    for (const [name, input] of Object.entries(inputs)) feeds[name] = this.#tensor(input);
    for (const [name, id] of Object.entries(states)) feeds[name] = this.#state(id).current;
    /** @type {Record<string, OrtTensor | null>} */
    const fetches = {};
    const replaces = this.#fillsOutputs && Object.keys(updates).length > 0;
    if (replaces) fetches[COPY_STOPPER] = null;
    for (const [name, { type, dims }] of Object.entries(outputs)) fetches[name] = replaces ? this.#tensor({ type, dims, data: zeros(type, dims) }) : null;
    for (const [name, { state, overwrites }] of Object.entries(updates)) fetches[name] = replaces ? this.#target(this.#state(state), overwrites) : null;
    const results = await this.#compute(/** @type {Session} */ (this.#sessions.get(session)), feeds, fetches, replaces);
    for (const [name, { state, overwrites }] of Object.entries(updates)) {
      if (!replaces) this.#state(state).current = /** @type {OrtTensor} */ (results[name]);
      else if (!overwrites) this.#swap(this.#state(state));
    }
    return Object.fromEntries(Object.keys(outputs).map((name) => [name, arrayOf(/** @type {OrtTensor} */ (results[name])).slice()]));
  }

  /**
   * @param {Session} session
   * @param {Record<string, OrtTensor>} feeds
   * @param {Record<string, OrtTensor | null>} fetches
   * @param {boolean} replaces the fetches are the results
   * @returns {Promise<Readonly<Record<string, OrtTensor | null>>>}
   */
  async #compute(session, feeds, fetches, replaces) {
    if (!replaces) return session.run(feeds, fetches);
    try {
      await session.run(feeds, fetches);
    } catch (error) {
      if (!String(error).includes(REFUSAL)) throw error;
    }
    return fetches;
  }

  async close() {
    for (const session of this.#sessions.values()) await session.release();
    this.#sessions.clear();
    this.#states.clear();
  }

  /** @param {TensorData} tensor */
  #tensor({ type, dims, data }) {
    return /** @type {OrtTensor} */ (new this.#ort.Tensor(ORT_TYPES[type], /** @type {never} */ (data), dims));
  }

  /** @param {number} id */
  #state(id) {
    const state = this.#states.get(id);
    if (!state) throw new Error(`no state ${id}`);
    return state;
  }

  /**
   * @param {StateMemory} state
   * @param {boolean} overwrites
   */
  #target(state, overwrites) {
    if (overwrites) return state.current;
    const { type, dims, data } = state.current;
    state.spare ??= /** @type {OrtTensor} */ (new this.#ort.Tensor(type, /** @type {never} */ (data.slice()), dims));
    return state.spare;
  }

  /** @param {StateMemory} state */
  #swap(state) {
    [state.current, state.spare] = [/** @type {OrtTensor} */ (state.spare), state.current];
  }
}
