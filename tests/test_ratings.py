"""Reading ratings tables: shapes of files, names of columns, folders, duplicates."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from pgrpo_rec.datasets import RatingsError, read_ratings

LONG = "user,item,rating\nann,1,4\nbob,1,2\nbob,2,5\n"
LONG_DENSE = [[4, np.nan], [2, 5]]


@pytest.fixture
def write(tmp_path):
    """Write content into a file below tmp_path and return its path."""

    def write_file(content, name="table.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data)
        return path

    return write_file


# Long tables


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "::"])
@pytest.mark.parametrize(
    ("header", "line_end", "squeeze"),
    [(True, "\n", False), (True, "\r\n", True), (False, "\n", True), (False, "\n", False)],
)
def test_long_table_in_every_dress(write, delimiter, header, line_end, squeeze):
    text = LONG if header else LONG.split("\n", 1)[1]
    data = text.replace(",", delimiter).replace("\n", line_end).encode()
    table = read_ratings(write(gzip.compress(data) if squeeze else data))
    assert table.users.tolist() == ["ann", "bob"]
    assert table.items.tolist() == [1, 2]
    assert_array_equal(table.to_dense(), LONG_DENSE)


@pytest.mark.parametrize(
    "names",
    [
        "userId,movieId,rating,timestamp",
        "participant,comment,vote,time",
        "voter-id,comment-id,vote,datetime",
        "User-ID,ISBN,Book-Rating,Date",
        "user_id,joke,score,ts",
    ],
)
def test_usual_names_are_known(write, names):
    rows = ["1,7,4,100", "2,7,2,50", "2,8,5,75"]
    table = read_ratings(write("\n".join([names, *rows])))
    assert_array_equal(table.to_dense(), LONG_DENSE)
    assert (table.time is None) == names.endswith("ts")


def test_order_of_columns_and_names_of_the_caller(write):
    text = "points,when,what,who,team\n4,3,x,ann,red\n2,1,x,bob,blue\n5,2,y,bob,blue\n"
    table = read_ratings(
        write(text), user="who", item="what", rating="points", time="when", segment="team"
    )
    assert_array_equal(table.to_dense(), LONG_DENSE)
    assert table.time.tolist() == [3, 1, 2]
    assert table.segments.tolist() == ["red", "blue"]


def test_rows_stay_in_file_order_and_numbers_sort_as_numbers(write):
    table = read_ratings(write("user,item,rating\n10,5,1\n9,5,2\n9,40,3\n"))
    assert table.users.tolist() == [9, 10]
    assert table.users.dtype == np.int64
    assert table.user_index.tolist() == [1, 0, 0]
    assert table.rating.tolist() == [1, 2, 3]
    assert table.user_index.dtype == table.item_index.dtype == np.int32


def test_labels_are_kept_as_written(write):
    table = read_ratings(write("user,item,rating\n007,NA,1\n7,None,2\n07,NA,3\n"))
    assert sorted(table.users.tolist()) == ["007", "07", "7"]
    assert table.items.tolist() == ["NA", "None"]


def test_quoted_fields_dates_and_decimal_commas(write):
    text = (
        'user;item;rating;date\nann;"Alien; the\ndirector\'s cut";4,5;1970-01-01\n'
        "bob;Heat;3,0;1970-01-02\n"
    )
    table = read_ratings(write(text))
    assert table.items.tolist() == ["Alien; the\ndirector's cut", "Heat"]
    assert table.rating.tolist() == [4.5, 3]
    assert table.time.tolist() == [0, 86400]


def test_latin1_and_byte_order_mark(write):
    named = LONG.replace("ann", "zoë")
    assert read_ratings(write(named.encode("latin-1"))).users.tolist() == ["bob", "zoë"]
    assert read_ratings(write(named.encode("utf-8-sig"))).users.tolist() == ["bob", "zoë"]


def test_unreadable_time_is_left_out_unless_asked_for(write):
    path = write("user,item,rating,date\na,x,1,May\nb,y,2,June\n")
    assert read_ratings(path).time is None
    with pytest.raises(RatingsError, match="line 2, 3; expected numbers or ISO dates"):
        read_ratings(path, time="date")


# Wide tables


def test_wide_numbers_with_user_and_segment(write):
    text = "user,gender,joke1,joke2\nu9,f,1.5,\nu3,,-2,99\nu5,m,,7\n"
    table = read_ratings(write(text))
    assert table.users.tolist() == ["u9", "u3", "u5"]
    assert table.items.tolist() == ["joke1", "joke2"]
    assert table.segments.tolist() == ["f", "unknown", "m"]
    # 99 is Jester's "not rated" where all else lies within -10..10
    assert_array_equal(table.to_dense(), [[1.5, np.nan], [-2, np.nan], [np.nan, 7]])


def test_ninety_nine_is_a_rating_on_a_wider_scale(write):
    table = read_ratings(write("user,a,b\n1,99,20\n2,50,\n"))
    assert_array_equal(table.to_dense(), [[99, 20], [50, np.nan]])


@pytest.mark.parametrize("header", ["party,tax,war,tea\n", ""])
def test_votes_with_and_without_header(write, header):
    table = read_ratings(write(header + "red,y,n,?\nblue,N,Yes,y\nred,n,n,n\nred,?,?,?\n"))
    assert_array_equal(table.to_dense()[:2], [[1, 0, np.nan], [0, 1, 1]])
    assert table.segments.tolist() == ["red", "blue", "red", "red"]
    assert table.n_users == 4  # the one who never voted stays
    assert table.restrict(min_user_ratings=1).n_users == 3


@pytest.mark.parametrize("first", ["", "id", "name", "respondent"])
def test_first_column_of_a_wide_table_can_be_the_user(write, first):
    table = read_ratings(write(f"{first},1,2,3\n11,5,4,\n12,,2,1\n"))
    assert table.users.tolist() == [11, 12]
    assert table.items.tolist() == [1, 2, 3]


def test_wide_table_without_users_or_header(write):
    numbered = read_ratings(write("a,b\n1,2\n3,\n"))
    assert numbered.users.tolist() == [0, 1]
    jester = read_ratings(write("2,4.5,99,99,1,99\n1,99,99,99,99,-3\n3,1,2,99,99,3\n"))
    assert jester.n_items == 5  # the first column counts the ratings of the row
    assert jester.n_ratings == 6
    ids = read_ratings(write("31,1,2,3,4\n32,4,,2,1\n"))
    assert ids.users.tolist() == [31, 32]
    plain = read_ratings(write("1,2,3,4,5\n5,5,,1,1\n2,,3,3,3\n"))
    assert plain.items.tolist() == [1, 2, 3, 4, 5]


def test_items_of_a_wide_table_can_be_listed(write):
    text = "Horror,Comedy,Age,Smoking,Gender\n1,5,20,never,f\n4,4,31,often,m\n"
    table = read_ratings(write(text), item=["Comedy", "Horror"])
    assert_array_equal(table.to_dense(), [[5, 1], [4, 4]])
    assert table.segments.tolist() == ["f", "m"]
    smokers = read_ratings(write(text), segment="Smoking")
    assert smokers.items.tolist() == ["Horror", "Comedy"]
    assert smokers.segments.tolist() == ["never", "often"]


# Duplicates


DUPLICATES = "user,item,rating,time\na,x,1,9\na,x,4,5\nb,x,2,1\nb,y,3,1\n"


def test_duplicates(write):
    path = write(DUPLICATES)
    with pytest.raises(RatingsError, match=r'1 rating.*\(a, x\).*duplicates="last" or'):
        read_ratings(path)
    assert_array_equal(read_ratings(path, duplicates="last").to_dense(), [[1, np.nan], [2, 3]])
    assert_array_equal(read_ratings(path, duplicates="mean").to_dense(), [[2.5, np.nan], [2, 3]])
    untimed = write(DUPLICATES.replace("time", "other"))
    assert_array_equal(read_ratings(untimed, duplicates="last").to_dense(), [[4, np.nan], [2, 3]])
    with pytest.raises(RatingsError, match="duplicates must be one of"):
        read_ratings(path, duplicates="first")


def test_repeated_user_of_a_wide_table_is_a_duplicate(write):
    path = write("user,a,b\n1,2,3\n1,4,\n2,5,1\n")
    with pytest.raises(RatingsError, match=r"\(1, a\)"):
        read_ratings(path)
    assert_array_equal(read_ratings(path, duplicates="last").to_dense(), [[4, 3], [5, 1]])


# Folders


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("ratings.csv", {"movies.csv": "movieId,title\n1,x\n", "tags.csv": "userId,tag\n1,a\n"}),
        ("u.data", {"u1.base": LONG, "u.item": "1|x\n"}),
        ("votes.csv", {"participants.csv": "participant,group-id,n-votes\n1,0,3\n"}),
        ("house-votes-84.data", {"house-votes-84.names": "about"}),
        ("jester1.csv", {"jokes.csv": "joke,text\n1,ha\n"}),
        ("answers.csv", {"comments.csv": "comment-id,body\n1,no\n", "README.txt": "Hello there"}),
    ],
)
def test_folder_gives_the_file_that_looks_like_ratings(write, name, others):
    for other, text in others.items():
        write(text, f"set/{other}")
    path = write(LONG, f"set/{name}")
    table = read_ratings(path.parent)
    assert (table.name, table.source) == ("set", str(path))
    assert_array_equal(table.to_dense(), LONG_DENSE)


def test_folder_errors_name_the_files_looked_at(write, tmp_path):
    with pytest.raises(RatingsError, match=r"no \.csv, \.tsv"):
        read_ratings(tmp_path)
    write("movieId,title\n1,x\n", "movies.csv")
    write("one\n", "notes.txt")
    with pytest.raises(RatingsError, match=r"none of its files .*movies\.csv .*notes\.txt"):
        read_ratings(tmp_path)
    write(LONG, "first.csv")
    assert read_ratings(tmp_path).n_ratings == 3
    write(LONG, "second.csv")
    with pytest.raises(RatingsError, match=r"several files .* first\.csv, second\.csv"):
        read_ratings(tmp_path)
    write("user,item,rating\n", "ratings.csv")  # named best: its fault is the one to tell
    with pytest.raises(RatingsError, match=r"ratings\.csv: the table has no rows"):
        read_ratings(tmp_path)


# The real tables, where there are any

REAL = {
    "house-votes-84": (435, 16, 6_568),
    "jester": (8_000, 100, 581_846),
    "ml-100k": (943, 1_682, 100_000),
    "ml-latest-small": (610, 9_724, 100_836),
    "polis/15-per-hour-seattle": (339, 54, 2_872),
    "polis/brexit-consensus": (204, 50, 5_303),
}


def real(name):
    root = os.environ.get("PGRPO_DATA")
    if root is None:
        pytest.skip("PGRPO_DATA does not name a folder with real ratings tables")
    if not (Path(root) / name).is_dir():
        pytest.skip(f"no {name} in the folder PGRPO_DATA names")
    return Path(root) / name


@pytest.mark.parametrize("name", REAL)
def test_real_tables_have_their_published_sizes(name):
    table = read_ratings(real(name))
    assert (table.n_users, table.n_items, table.n_ratings) == REAL[name]


def test_real_votes_know_their_parties():
    table = read_ratings(real("house-votes-84"))
    assert pd.Series(table.segments).value_counts().to_dict() == {
        "democrat": 267,
        "republican": 168,
    }


def test_real_jester_has_complete_rows():
    complete = read_ratings(real("jester")).restrict(complete=True)
    assert (complete.n_users, complete.n_items) == (2_344, 100)
    assert complete.is_dense


def test_real_survey_needs_its_items_named():
    folder = real("yps")
    with pytest.raises(RatingsError, match="columns hold labels, not ratings"):
        read_ratings(folder)
    table = read_ratings(folder, item=["Horror", "Romantic", "Sci-fi", "War"])
    assert (table.n_users, table.n_items) == (1_010, 4)
    assert set(table.segments) == {"female", "male", "unknown"}
