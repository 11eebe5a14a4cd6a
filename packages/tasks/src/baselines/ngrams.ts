/** Chinese characters and Japanese kana are written without spaces: their words are found as character n-grams. */
const PIECE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]+|(?:(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}])[\p{L}\p{M}\p{N}_])+/gu;
const UNSPACED = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;
const LONGEST_CHARACTER_NGRAM = 3;

/** Lower-case words and pairs of neighbouring words; runs of unspaced script as characters, pairs and triples. */
export function ngrams(text: string): string[] {
  const features: string[] = [];
  let previous: string | null = null;
  for (const [piece] of text.toLowerCase().matchAll(PIECE)) {
    if (UNSPACED.test(piece)) {
      const characters = [...piece];
      for (let begin = 0; begin < characters.length; begin++) {
        for (let end = begin + 1; end <= Math.min(begin + LONGEST_CHARACTER_NGRAM, characters.length); end++) features.push(characters.slice(begin, end).join(""));
      }
      previous = null;
    } else {
      features.push(piece);
      if (previous !== null) features.push(`${previous} ${piece}`);
      previous = piece;
    }
  }
  return features;
}
