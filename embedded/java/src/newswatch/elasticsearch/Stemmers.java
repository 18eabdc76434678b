package newswatch.elasticsearch;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.ar.ArabicStemFilter;
import org.apache.lucene.analysis.bg.BulgarianStemFilter;
import org.apache.lucene.analysis.bn.BengaliStemFilter;
import org.apache.lucene.analysis.br.BrazilianStemFilter;
import org.apache.lucene.analysis.ckb.SoraniStemFilter;
import org.apache.lucene.analysis.cz.CzechStemFilter;
import org.apache.lucene.analysis.de.GermanLightStemFilter;
import org.apache.lucene.analysis.de.GermanMinimalStemFilter;
import org.apache.lucene.analysis.el.GreekStemFilter;
import org.apache.lucene.analysis.en.EnglishMinimalStemFilter;
import org.apache.lucene.analysis.en.EnglishPossessiveFilter;
import org.apache.lucene.analysis.en.KStemFilter;
import org.apache.lucene.analysis.en.PorterStemFilter;
import org.apache.lucene.analysis.es.SpanishLightStemFilter;
import org.apache.lucene.analysis.es.SpanishPluralStemFilter;
import org.apache.lucene.analysis.fa.PersianStemFilter;
import org.apache.lucene.analysis.fi.FinnishLightStemFilter;
import org.apache.lucene.analysis.fr.FrenchLightStemFilter;
import org.apache.lucene.analysis.fr.FrenchMinimalStemFilter;
import org.apache.lucene.analysis.gl.GalicianMinimalStemFilter;
import org.apache.lucene.analysis.gl.GalicianStemFilter;
import org.apache.lucene.analysis.hi.HindiStemFilter;
import org.apache.lucene.analysis.hu.HungarianLightStemFilter;
import org.apache.lucene.analysis.id.IndonesianStemFilter;
import org.apache.lucene.analysis.it.ItalianLightStemFilter;
import org.apache.lucene.analysis.lv.LatvianStemFilter;
import org.apache.lucene.analysis.no.NorwegianLightStemFilter;
import org.apache.lucene.analysis.no.NorwegianLightStemFilterFactory;
import org.apache.lucene.analysis.no.NorwegianMinimalStemFilter;
import org.apache.lucene.analysis.no.NorwegianMinimalStemFilterFactory;
import org.apache.lucene.analysis.pt.PortugueseLightStemFilter;
import org.apache.lucene.analysis.pt.PortugueseMinimalStemFilter;
import org.apache.lucene.analysis.pt.PortugueseStemFilter;
import org.apache.lucene.analysis.ru.RussianLightStemFilter;
import org.apache.lucene.analysis.snowball.SnowballFilter;
import org.apache.lucene.analysis.sv.SwedishLightStemFilter;
import org.tartarus.snowball.SnowballStemmer;
import org.tartarus.snowball.ext.ArmenianStemmer;
import org.tartarus.snowball.ext.BasqueStemmer;
import org.tartarus.snowball.ext.CatalanStemmer;
import org.tartarus.snowball.ext.DanishStemmer;
import org.tartarus.snowball.ext.DutchStemmer;
import org.tartarus.snowball.ext.EnglishStemmer;
import org.tartarus.snowball.ext.EstonianStemmer;
import org.tartarus.snowball.ext.FinnishStemmer;
import org.tartarus.snowball.ext.FrenchStemmer;
import org.tartarus.snowball.ext.GermanStemmer;
import org.tartarus.snowball.ext.HungarianStemmer;
import org.tartarus.snowball.ext.IrishStemmer;
import org.tartarus.snowball.ext.ItalianStemmer;
import org.tartarus.snowball.ext.LithuanianStemmer;
import org.tartarus.snowball.ext.NorwegianStemmer;
import org.tartarus.snowball.ext.PortugueseStemmer;
import org.tartarus.snowball.ext.RomanianStemmer;
import org.tartarus.snowball.ext.RussianStemmer;
import org.tartarus.snowball.ext.SerbianStemmer;
import org.tartarus.snowball.ext.SpanishStemmer;
import org.tartarus.snowball.ext.SwedishStemmer;
import org.tartarus.snowball.ext.TurkishStemmer;

/** The languages that the token filters {@code stemmer} and {@code snowball} know in the full distribution. */
final class Stemmers {

    private static final Map<String, Supplier<SnowballStemmer>> SNOWBALL = new TreeMap<>();
    private static final Map<String, UnaryOperator<TokenStream>> ALL = new TreeMap<>();

    static {
        SNOWBALL.put("armenian", ArmenianStemmer::new);
        SNOWBALL.put("basque", BasqueStemmer::new);
        SNOWBALL.put("catalan", CatalanStemmer::new);
        SNOWBALL.put("danish", DanishStemmer::new);
        SNOWBALL.put("dutch", DutchStemmer::new);
        SNOWBALL.put("english", EnglishStemmer::new);
        SNOWBALL.put("estonian", EstonianStemmer::new);
        SNOWBALL.put("finnish", FinnishStemmer::new);
        SNOWBALL.put("french", FrenchStemmer::new);
        SNOWBALL.put("german", GermanStemmer::new);
        SNOWBALL.put("hungarian", HungarianStemmer::new);
        SNOWBALL.put("irish", IrishStemmer::new);
        SNOWBALL.put("italian", ItalianStemmer::new);
        SNOWBALL.put("lithuanian", LithuanianStemmer::new);
        SNOWBALL.put("norwegian", NorwegianStemmer::new);
        SNOWBALL.put("portuguese", PortugueseStemmer::new);
        SNOWBALL.put("romanian", RomanianStemmer::new);
        SNOWBALL.put("russian", RussianStemmer::new);
        SNOWBALL.put("serbian", SerbianStemmer::new);
        SNOWBALL.put("spanish", SpanishStemmer::new);
        SNOWBALL.put("swedish", SwedishStemmer::new);
        SNOWBALL.put("turkish", TurkishStemmer::new);

        SNOWBALL.forEach((language, stemmer) -> ALL.put(language, input -> new SnowballFilter(input, stemmer.get())));
        ALL.put("arabic", ArabicStemFilter::new);
        ALL.put("bengali", BengaliStemFilter::new);
        ALL.put("brazilian", BrazilianStemFilter::new);
        ALL.put("bulgarian", BulgarianStemFilter::new);
        ALL.put("czech", CzechStemFilter::new);
        ALL.put("english", PorterStemFilter::new);
        ALL.put("galician", GalicianStemFilter::new);
        ALL.put("greek", GreekStemFilter::new);
        ALL.put("hindi", HindiStemFilter::new);
        ALL.put("indonesian", IndonesianStemFilter::new);
        ALL.put("latvian", LatvianStemFilter::new);
        ALL.put("light_english", KStemFilter::new);
        ALL.put("light_finnish", FinnishLightStemFilter::new);
        ALL.put("light_french", FrenchLightStemFilter::new);
        ALL.put("light_german", GermanLightStemFilter::new);
        ALL.put("light_hungarian", HungarianLightStemFilter::new);
        ALL.put("light_italian", ItalianLightStemFilter::new);
        ALL.put("light_norwegian", NorwegianLightStemFilter::new);
        ALL.put("light_nynorsk", new NorwegianLightStemFilterFactory(nynorsk())::create);
        ALL.put("light_portuguese", PortugueseLightStemFilter::new);
        ALL.put("light_russian", RussianLightStemFilter::new);
        ALL.put("light_spanish", SpanishLightStemFilter::new);
        ALL.put("light_swedish", SwedishLightStemFilter::new);
        ALL.put("minimal_english", EnglishMinimalStemFilter::new);
        ALL.put("minimal_french", FrenchMinimalStemFilter::new);
        ALL.put("minimal_galician", GalicianMinimalStemFilter::new);
        ALL.put("minimal_german", GermanMinimalStemFilter::new);
        ALL.put("minimal_norwegian", NorwegianMinimalStemFilter::new);
        ALL.put("minimal_nynorsk", new NorwegianMinimalStemFilterFactory(nynorsk())::create);
        ALL.put("minimal_portuguese", PortugueseMinimalStemFilter::new);
        ALL.put("persian", PersianStemFilter::new);
        ALL.put("porter", PorterStemFilter::new);
        ALL.put("porter2", input -> new SnowballFilter(input, new EnglishStemmer()));
        ALL.put("portuguese_rslp", PortugueseStemFilter::new);
        ALL.put("possessive_english", EnglishPossessiveFilter::new);
        ALL.put("sorani", SoraniStemFilter::new);
        ALL.put("spanish_plural", SpanishPluralStemFilter::new);
    }

    private Stemmers() {}

    /** The filter that {@code {"type": "stemmer", "language": language}} stands for. */
    static UnaryOperator<TokenStream> named(String language) {
        return find(ALL, language);
    }

    /** The filter that {@code {"type": "snowball", "language": language}} stands for. */
    static UnaryOperator<TokenStream> snowball(String language) {
        Supplier<SnowballStemmer> stemmer = find(SNOWBALL, language);
        return input -> new SnowballFilter(input, stemmer.get());
    }

    /** The option is a number that Lucene keeps to itself; its factories, which empty the map they are given, know it by name. */
    private static Map<String, String> nynorsk() {
        return new HashMap<>(Map.of("variant", "nn"));
    }

    private static <T> T find(Map<String, T> stemmers, String language) {
        T stemmer = stemmers.get(language.toLowerCase(Locale.ROOT));
        if (stemmer == null) {
            throw new IllegalArgumentException("no stemmer for [" + language + "], only for " + new TreeSet<>(stemmers.keySet()));
        }
        return stemmer;
    }
}
